import type { Run__Output } from "../proto/gen/anchorage/v1/Run.ts";
import { buildId } from "./build.ts";
import type { CallSettings, CoordinatorClient } from "./coordinatorClient.ts";
import type { DeployConfig } from "./deployConfig.ts";
import { messageOf, OperatorError } from "./errors.ts";
import { isTransient } from "./grpcErrors.ts";
import { configDigest, RunConfig } from "./runConfig.ts";

export interface ServedRun {
  readonly run: Run__Output;
  readonly config: RunConfig;
}

export type StartPatience = Pick<DeployConfig, "coordinatorWaitSeconds">;

/**
 * The run that the coordinator serves, waiting for it as starting() does. Throws also as readRunConfig does.
 */
export async function servedRun(
  client: CoordinatorClient,
  patience: StartPatience,
  signal: AbortSignal,
): Promise<ServedRun> {
  const run = await starting(client.address, patience, signal, (settings) => client.getRun(settings));
  return { run, config: readRunConfig(run) };
}

/**
 * A call that a process needs before it can begin: tried until `signal` aborts or the patience ends. Throws NETWORK then: a
 * run may have ended, and its coordinator left, before a process that was to work for it was there.
 */
export async function starting<T>(
  address: string,
  { coordinatorWaitSeconds: seconds }: StartPatience,
  signal: AbortSignal,
  call: (settings: CallSettings) => Promise<T>,
): Promise<T> {
  const patienceMs = seconds === null ? Number.POSITIVE_INFINITY : seconds * 1000;
  try {
    return await call({ signal, patienceMs });
  } catch (cause) {
    if (seconds === null || signal.aborted || !isTransient(cause)) throw cause;
    const problem = `No coordinator answered at ${address} within coordinatorWaitSeconds=${seconds} (${messageOf(cause).replace(/^\[\w+\] /, "")}).`;
    const remedy = "If its run has ended, nothing is left to do; else start the coordinator, then this process again.";
    throw new OperatorError("NETWORK", problem, remedy, { cause });
  }
}

/** Throws MISMATCH where this build does not read the config as the coordinator's does. */
export function readRunConfig(run: Pick<Run__Output, "run_id" | "config_json" | "config_digest" | "build">): RunConfig {
  const mismatch = (why: string, cause?: unknown): OperatorError =>
    new OperatorError(
      "MISMATCH",
      `The config of run ${run.run_id} is not readable here: ${why.replace(/\.$/, "")}.`,
      `The coordinator's build is ${run.build || "unknown"}, this process's ${buildId()}: run the same build in every process.`,
      { cause },
    );
  let config: RunConfig;
  try {
    config = RunConfig.parse(JSON.parse(run.config_json));
  } catch (cause) {
    throw mismatch(messageOf(cause), cause);
  }
  const digest = configDigest(config);
  if (digest === run.config_digest) return config;
  throw mismatch(`this build gives it digest ${digest}, the coordinator ${run.config_digest}`);
}
