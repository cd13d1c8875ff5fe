import { status } from "@grpc/grpc-js";
import { learnerProto } from "../proto/load.ts";
import { OperatorError } from "../shared/errors.ts";
import { type GrpcServer, splitAddress, startGrpcServer } from "../shared/grpcServer.ts";
import type { CollectStream } from "./ingest.ts";

export interface LearnerServer {
  readonly grpc: GrpcServer;
  /** From now on actors are let in. */
  open(collect: (stream: CollectStream) => void): void;
}

/**
 * Listens for actors and health checks. Listening comes before everything else, because the address goes into the
 * registration; until open() actors are told to come again. Throws CONFIG for a bad address, NETWORK for one in use.
 */
export async function listenForActors(listen: string): Promise<LearnerServer> {
  let collect = (stream: CollectStream): void => {
    stream.emit("error", { code: status.UNAVAILABLE, details: "the learner is starting" });
  };
  const grpc = await startGrpcServer({
    what: "The learner",
    listen,
    name: "anchorage.v1.Learner",
    service: learnerProto.Learner.service,
    handlers: { Collect: (stream: CollectStream) => collect(stream) },
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
