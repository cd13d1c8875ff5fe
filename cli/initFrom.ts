import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { sha256 } from "../shared/checkpointTransfer.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import type { RunConfig } from "../shared/runConfig.ts";

type InitFrom = NonNullable<RunConfig["initFrom"]>;

/**
 * Settings whose `initFrom` may be a file's path, with what RunConfig records of it in place of that. `kept` is what a run
 * that goes on has recorded: it does not need that file any more. Throws CONFIG as initFrom does.
 */
export function withInitialFile(given: Record<string, unknown>, kept: InitFrom | null = null): Record<string, unknown> {
  const from = given.initFrom;
  if (typeof from !== "string") return given;
  return { ...given, initFrom: kept?.file === resolve(from) ? kept : initFrom(from) };
}

/**
 * A file for `--init-from` as RunConfig records it. What is in it is judged where the run's network is known: by `train`
 * before it starts anything, and by the learner. Throws CONFIG where it cannot be read.
 */
const initFrom = (file: string): InitFrom => ({ file: resolve(file), sha256: sha256(contentOf(file)) });

export function contentOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const problem = `initFrom: ${file} cannot be read: ${messageOf(cause)}.`;
    const remedy =
      "Give a run's policy.onnx, a file that `anchorage export` wrote, or a .ckpt from a run's checkpoints.";
    throw new OperatorError("CONFIG", problem, remedy, { cause });
  }
}
