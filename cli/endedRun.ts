import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { RunState, type RunStateFile } from "../coordinator/runState.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import { RunConfig, runShape } from "../shared/runConfig.ts";
import { type LastRecord, lastRecord } from "./finishedRun.ts";

/** A run whose coordinator has gone, as its folder has it. */
export interface StoredRun {
  readonly runDir: string;
  readonly runId: string;
  readonly totalSteps: number; // agent steps
  readonly now: Readonly<RunStateFile>;
  readonly last: LastRecord | null; // null: no update yet
}

/** Throws STORAGE where there is no run, CORRUPT where it cannot be read. */
export async function storedRun(runDir: string): Promise<StoredRun> {
  const file = join(runDir, "run.json");
  if (!existsSync(file))
    throw new OperatorError("STORAGE", `There is no run in ${runDir}: it has no run.json.`, "Check --run-dir.");
  const now = (await RunState.open(runDir)).current;
  try {
    const { runId } = z.object({ runId: z.string() }).parse(JSON.parse(readFileSync(file, "utf8")));
    const config = RunConfig.parse(JSON.parse(readFileSync(join(runDir, "config.json"), "utf8")));
    const { rounds, stepsPerRound } = runShape(config);
    return { runDir, runId, totalSteps: rounds * stepsPerRound, now, last: lastRecord(runDir) };
  } catch (cause) {
    const problem = `The run in ${runDir} cannot be read: ${messageOf(cause)}.`;
    const remedy = "Restore run.json, config.json or metrics.jsonl from a backup; checkpoints/ do not need them.";
    throw new OperatorError("CORRUPT", problem, remedy, { cause });
  }
}

const words = { FINISHED: "finished", FAILED: "failed", STOPPING: "stopped", RUNNING: null, PAUSED: null } as const;

/** `null`: the run has not ended, though nothing may work on it. */
export const endOf = ({ now }: StoredRun): "finished" | "failed" | "stopped" | null => words[now.state];

/** What `status` prints of an ended run. Throws NETWORK for one that was cut off. */
export function describeEnded(run: StoredRun, json: boolean): string {
  const { runId, now, last, totalSteps } = run;
  const end = endOf(run);
  if (end === null) throw cutOff(run);
  const { update: updates = 0, agent_steps: agentSteps = 0, mean_return: meanReturn = null } = last ?? {};
  const { generation, failure, weightsSha256, differences } = now;
  if (json) {
    const stored = { run_id: runId, state: now.state, generation, reproducible: differences.length === 0, failure };
    const reached = { updates, agent_steps: agentSteps, total_steps: totalSteps };
    return `${JSON.stringify({ run: stored, ...reached, members: [], metrics: last ?? {}, weights_sha256: weightsSha256 })}\n`;
  }
  const lines = [
    `run ${runId}: ${end} after ${updates} updates, ${agentSteps} of ${totalSteps} agent steps, mean return ${meanReturn?.toFixed(2) ?? "-"}${differences.length === 0 ? "" : ", not reproducible"}`,
    ...(failure === "" ? [] : [`  failure: ${failure}`]),
    end === "finished" ? `  weights ${weightsSha256}` : `  ${goOn(run)}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** Why an ended run cannot be paused, resumed or stopped. */
export function refusal(action: "PAUSE" | "RESUME" | "STOP", run: StoredRun): OperatorError {
  const end = endOf(run);
  if (end === null) return cutOff(run);
  const problem = `${action.toLowerCase()} is not possible: the run in ${run.runDir} has ended (${end} after ${run.last?.update ?? 0} updates).`;
  return new OperatorError("MISMATCH", problem, end === "finished" ? "Nothing is left to do." : goOn(run));
}

const goOn = ({ runDir }: StoredRun): string => `Go on with: anchorage train --resume --run-dir ${runDir}`;

function cutOff(run: StoredRun): OperatorError {
  const problem = `The run in ${run.runDir} is ${run.now.state.toLowerCase()} by its state.json, but its coordinator cannot be reached; ${run.last?.update ?? 0} updates are stored.`;
  const remedy = `If it was cut off, as by a power failure: ${goOn(run)}. If it is on another machine, give --coordinator HOST:PORT.`;
  return new OperatorError("NETWORK", problem, remedy);
}
