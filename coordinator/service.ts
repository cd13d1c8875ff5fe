import { type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import type { CoordinatorHandlers } from "../proto/gen/anchorage/v1/Coordinator.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import { type Access, callerRole } from "../shared/grpcAccess.ts";
import type { PortRefusals } from "../shared/portRefusals.ts";
import type { CheckpointStreams } from "./checkpointStreams.ts";
import type { TrainingRun } from "./trainingRun.ts";
import type { Watchers } from "./watch.ts";

const codes: Partial<Record<string, status>> = {
  CONFIG: status.INVALID_ARGUMENT,
  MISMATCH: status.FAILED_PRECONDITION,
  CORRUPT: status.DATA_LOSS,
  IDENTITY: status.PERMISSION_DENIED,
  BUSY: status.RESOURCE_EXHAUSTED,
  STORAGE: status.RESOURCE_EXHAUSTED, // transient to clients: once the disk has room, the same report is taken
};

/** Which certificates, or without any the control token, open which rpc. */
export const coordinatorAccess: Access = {
  Register: ["actor", "learner"],
  Heartbeat: ["actor", "learner"],
  GetRun: ["actor", "learner", "operator"],
  ReportUpdate: ["learner"],
  SaveCheckpoint: ["learner"],
  LoadCheckpoint: ["learner"],
  Control: ["operator"],
  Watch: ["operator"],
};

type Caller = Parameters<typeof callerRole>[0];

/** A certificate may not speak for another role than its own. */
function checkRole(call: Caller, role: string): void {
  const own = callerRole(call);
  if (own === null || own === role.toLowerCase()) return;
  const problem = `role=${role} is not for a certificate of role ${own}.`;
  throw new OperatorError("IDENTITY", problem, "Give this process the certificate of its role.");
}

/** The rpcs of coordinator.proto: translate, hand on, answer. Errors become gRPC statuses with the operator's message. */
export function coordinatorHandlers(
  run: TrainingRun,
  checkpoints: CheckpointStreams,
  watchers: Watchers,
  refusals: PortRefusals,
): CoordinatorHandlers {
  const { members, metrics, log } = run.parts;

  const asStatus = (error: unknown) => {
    const code = error instanceof OperatorError ? (codes[error.code] ?? status.INTERNAL) : status.INTERNAL;
    if (error instanceof OperatorError && (error.code === "CONFIG" || error.code === "CORRUPT"))
      refusals.count("field", error.message);
    if (error instanceof OperatorError && error.code === "BUSY") refusals.count("members", error.message);
    if (code === status.INTERNAL) log.error({ err: error }, "request failed");
    return Object.assign(new Error(messageOf(error)), { code, details: messageOf(error) });
  };
  const unary =
    <Request, Reply>(answer: (request: Request, call: Caller) => Reply | Promise<Reply>) =>
    (call: ServerUnaryCall<Request, Reply>, callback: sendUnaryData<Reply>): void => {
      Promise.resolve()
        .then(() => answer(call.request, call))
        .then(
          (reply) => callback(null, reply),
          (error: unknown) => callback(asStatus(error)),
        );
    };

  return {
    Register: unary(async (request, call) => {
      checkRole(call, request.role);
      const { memberId, generation } = await members.register(request);
      metrics.registrations.inc({ member_role: request.role === "LEARNER" ? "learner" : "actor" });
      run.emit("changed");
      return { member_id: memberId, run: run.describe(), generation };
    }),
    Heartbeat: unary(async (request, call) => {
      checkRole(call, request.role);
      const known = await members.heartbeat(request);
      // a label of our own choosing, whatever was sent
      metrics.heartbeats.inc({ member_role: request.role === "LEARNER" ? "learner" : "actor" });
      if (request.leaving) run.emit("changed");
      return { known, state: run.state.state, learner_address: members.learnerAddress, generation: members.generation };
    }),
    GetRun: unary(() => run.describe()),
    ReportUpdate: unary((request) => run.report(request)),
    Control: unary(({ action }) => run.control(action)),
    SaveCheckpoint: (call, callback) => checkpoints.save(call, callback),
    LoadCheckpoint: (call) =>
      void checkpoints.load(call).catch((error: unknown) => call.emit("error", asStatus(error))),
    Watch: (call) => void watchers.serve(call).catch((error: unknown) => call.emit("error", asStatus(error))),
  };
}
