import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { decodeCheckpoint } from "../learner/checkpoint.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";

/** `<update>-g<generation>-<digest>.ckpt`, see docs/runFolder.md. */
const checkpointName = /^(\d{8,})-g(\d+)-[0-9a-f]{8}\.ckpt$/;

/**
 * The policy of a checkpoint: of its file, or of that which a run stored after so many updates (of several, the newest
 * learner's). Only reads: the run may be going on. Rejects with MISMATCH where there is none, CORRUPT where it is damaged.
 */
export async function checkpointPolicy(runDir: string, checkpoint: string): Promise<Uint8Array> {
  const file = /^\d+$/.test(checkpoint) ? await storedAfter(runDir, Number(checkpoint)) : checkpoint;
  const { policies } = decodeCheckpoint(await read(file));
  return policies.at(-1)!.bytes;
}

async function storedAfter(runDir: string, update: number): Promise<string> {
  const folder = join(runDir, "checkpoints");
  const stored = (await listed(folder)).flatMap((name) => {
    const [, after, generation] = checkpointName.exec(name) ?? [];
    return after === undefined ? [] : [{ name, update: Number(after), generation: Number(generation) }];
  });
  const found = stored.filter((one) => one.update === update).sort((a, b) => a.generation - b.generation);
  const newest = found.at(-1);
  if (newest !== undefined) return join(folder, newest.name);
  const there = stored.map((one) => one.update).sort((a, b) => a - b);
  const problem = `${folder} holds no checkpoint after update ${update}; there are: ${there.join(", ") || "none"}.`;
  throw new OperatorError(
    "MISMATCH",
    problem,
    "Give --checkpoint one of these, or leave it out for the newest policy.",
  );
}

async function listed(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    throw unreadable(folder, cause);
  }
}

async function read(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

function unreadable(path: string, cause: unknown): OperatorError {
  const problem = `${path} cannot be read: ${messageOf(cause)}.`;
  return new OperatorError("STORAGE", problem, "Give --checkpoint updates done, or a .ckpt file.", { cause });
}
