import { readFileSync } from "node:fs";
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

/** null: there is something left to do. Throws CORRUPT where the folder of a finished run cannot be read. */
export async function finishedRun(runDir: string): Promise<RunResult | null> {
  const { state, weightsSha256 } = (await RunState.open(runDir)).current;
  if (state !== "FINISHED") return null;
  const file = join(runDir, "metrics.jsonl");
  try {
    const last = JSON.parse(readFileSync(file, "utf8").trimEnd().split("\n").at(-1)!);
    return { agentSteps: last.agent_steps, updates: last.update, meanReturn: last.mean_return, weightsSha256 };
  } catch (cause) {
    throw new OperatorError(
      "CORRUPT",
      `The run in ${runDir} is finished, but its last record in ${file} cannot be read: ${messageOf(cause)}.`,
      "Restore the file from a backup; policy.onnx and checkpoints/ do not need it.",
      { cause },
    );
  }
}
