import { status } from "@grpc/grpc-js";
import { learnerProto } from "../proto/load.ts";
import type { DeployConfig } from "../shared/deployConfig.ts";
import { OperatorError } from "../shared/errors.ts";
import type { Access } from "../shared/grpcAccess.ts";
import { maxMessageBytes } from "../shared/grpcOptions.ts";
import { type GrpcServer, splitAddress, startGrpcServer } from "../shared/grpcServer.ts";
import type { MethodLimit } from "../shared/guardedCall.ts";
import type { PortRefusals } from "../shared/portRefusals.ts";
import type { Transport } from "../shared/transport.ts";
import type { WireBounds } from "../shared/wireBounds.ts";
import type { CollectStream } from "./ingest.ts";

export interface LearnerServer {
  readonly grpc: GrpcServer;
  /** From now on actors are let in. */
  open(collect: (stream: CollectStream) => void): void;
}

const access: Access = { Collect: ["actor"] };

/** Rollouts take megabytes; a hello, which a stranger may send, a few KB. Ingest waits for the hello. */
const collectLimit: Omit<MethodLimit, "calls"> = {
  messageBytes: maxMessageBytes,
  firstMessageBytes: 256 * 1024,
  requestMs: null,
};

const tensor = { most: 1, of: { 2: { most: 16, packedBytes: 160 } } };
/** ActorMessage: of a rollout its twelve tensors' shapes and its episodes, at most one each environment and step. */
const collectBounds: WireBounds = {
  1: { most: 1 },
  2: {
    most: 1,
    of: { ...Object.fromEntries(Array.from({ length: 12 }, (_, i) => [10 + i, tensor])), 22: { most: 200_000 } },
  },
};

/**
 * Listens for actors and health checks. Listening comes before everything else, because the address goes into the
 * registration; until open() actors are told to come again. Throws CONFIG for a bad address, ADDRESS for one in use.
 */
export async function listenForActors(
  { learnerListen, maxConnections }: DeployConfig,
  transport: Transport,
  refusals: PortRefusals,
): Promise<LearnerServer> {
  let collect = (stream: CollectStream): void => {
    stream.emit("error", { code: status.UNAVAILABLE, details: "the learner is starting" });
  };
  const grpc = await startGrpcServer({
    what: "The learner",
    listen: learnerListen,
    name: "anchorage.v1.Learner",
    service: learnerProto.Learner.service,
    transport,
    setting: "learnerListen",
    access,
    handlers: { Collect: (stream: CollectStream) => collect(stream) },
    guard: {
      limits: { Collect: { ...collectLimit, calls: maxConnections } },
      bounds: { Collect: collectBounds },
      maxConnections,
      refusals,
    },
  });
  return {
    grpc,
    open: (handler) => {
      collect = handler;
    },
  };
}

/** The address under which actors reach a server that listens at `listening`. Throws CONFIG where nobody could. */
export function advertisedAddress(advertise: string | null, listening: string): string {
  if (advertise !== null) return advertise;
  const { host } = splitAddress(listening);
  if (host !== "0.0.0.0" && host !== "[::]") return listening;
  const problem = `learnerListen=${listening} is no address that actors can reach.`;
  const remedy = "Set learnerAdvertise (ANCHORAGE_LEARNER_ADVERTISE) to the learner's host:port.";
  throw new OperatorError("CONFIG", problem, remedy);
}
