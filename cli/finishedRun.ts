import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { RunState } from "../coordinator/runState.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";

/** What a finished run came to, read from its folder. */
export interface RunResult {
  readonly agentSteps: number;
  readonly updates: number;
  readonly meanReturn: number | null; // raw; null: no episode ended
  readonly weightsSha256: string;
}

/** What is needed here of the last line of metrics.jsonl; beside it every metric of the update. */
export interface LastRecord {
  readonly update: number;
  readonly agent_steps: number;
  readonly mean_return?: number | null;
}

/** null: no update yet. A last line without its end is a torn one: the coordinator would cut it off, too. */
export function lastRecord(runDir: string): LastRecord | null {
  const file = join(runDir, "metrics.jsonl");
  const whole = existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : [];
  const last = whole.at(-1);
  return last === undefined ? null : (JSON.parse(last) as LastRecord);
}

/** null: there is something left to do. Throws CORRUPT where the folder of a finished run cannot be read. */
export async function finishedRun(runDir: string): Promise<RunResult | null> {
  const { state, weightsSha256 } = (await RunState.open(runDir)).current;
  if (state !== "FINISHED") return null;
  const file = join(runDir, "metrics.jsonl");
  try {
    const { agent_steps: agentSteps, update: updates, mean_return: meanReturn = null } = lastRecord(runDir)!;
    return { agentSteps, updates, meanReturn, weightsSha256 };
  } catch (cause) {
    throw new OperatorError(
      "CORRUPT",
      `The run in ${runDir} is finished, but its last record in ${file} cannot be read: ${messageOf(cause)}.`,
      "Restore the file from a backup; policy.onnx and checkpoints/ do not need it.",
      { cause },
    );
  }
}
