import { type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import type { CoordinatorHandlers } from "../proto/gen/anchorage/v1/Coordinator.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import type { CheckpointStreams } from "./checkpointStreams.ts";
import type { TrainingRun } from "./trainingRun.ts";
import type { Watchers } from "./watch.ts";

const codes: Partial<Record<string, status>> = {
  CONFIG: status.INVALID_ARGUMENT,
  MISMATCH: status.FAILED_PRECONDITION,
  CORRUPT: status.DATA_LOSS,
  STORAGE: status.RESOURCE_EXHAUSTED, // transient to clients: once the disk has room, the same report is taken
};

/** The rpcs of coordinator.proto: translate, hand on, answer. Errors become gRPC statuses with the operator's message. */
export function coordinatorHandlers(
  run: TrainingRun,
  checkpoints: CheckpointStreams,
  watchers: Watchers,
): CoordinatorHandlers {
  const { members, metrics, log } = run.parts;

  const asStatus = (error: unknown) => {
    const code = error instanceof OperatorError ? (codes[error.code] ?? status.INTERNAL) : status.INTERNAL;
    if (code === status.INTERNAL) log.error({ err: error }, "request failed");
    return Object.assign(new Error(messageOf(error)), { code, details: messageOf(error) });
  };
  const unary =
    <Request, Reply>(answer: (request: Request) => Reply | Promise<Reply>) =>
    (call: ServerUnaryCall<Request, Reply>, callback: sendUnaryData<Reply>): void => {
      Promise.resolve()
        .then(() => answer(call.request))
        .then(
          (reply) => callback(null, reply),
          (error: unknown) => callback(asStatus(error)),
        );
    };

  return {
    Register: unary(async (request) => {
      const { memberId, generation } = await members.register(request);
      metrics.registrations.inc({ role: request.role.toLowerCase() });
      run.emit("changed");
      return { member_id: memberId, run: run.describe(), generation };
    }),
    Heartbeat: unary(async (request) => {
      const known = await members.heartbeat(request);
      const role = request.role === "LEARNER" ? "learner" : "actor"; // a label of our own choosing, whatever was sent
      metrics.heartbeats.inc({ role });
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
