import type { Run__Output } from "../proto/gen/anchorage/v1/Run.ts";
import type { CoordinatorClient } from "./coordinatorClient.ts";
import { messageOf, OperatorError } from "./errors.ts";
import { configDigest, RunConfig } from "./runConfig.ts";

export interface ServedRun {
  readonly run: Run__Output;
  readonly config: RunConfig;
}

/** The run that the coordinator serves, waiting for it until `signal` aborts. Throws as readRunConfig does. */
export async function servedRun(client: CoordinatorClient, signal: AbortSignal): Promise<ServedRun> {
  const run = await client.getRun({ signal, patienceMs: Number.POSITIVE_INFINITY });
  return { run, config: readRunConfig(run) };
}

/** Throws MISMATCH where this build does not read the config as the coordinator's does. */
export function readRunConfig(run: Pick<Run__Output, "run_id" | "config_json" | "config_digest">): RunConfig {
  const mismatch = (why: string, cause?: unknown): OperatorError =>
    new OperatorError(
      "MISMATCH",
      `The config of run ${run.run_id} is not readable here: ${why.replace(/\.$/, "")}.`,
      "Run the same build in every process.",
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
