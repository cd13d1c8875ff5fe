import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { checkpointChunkBytes, initialFileName } from "../shared/checkpointTransfer.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import type { RunConfig } from "../shared/runConfig.ts";
import { AtomicFile } from "./atomicFile.ts";

/**
 * Copies the file that a new run begins from into its folder, so that the run needs it nowhere else. Throws CONFIG where it
 * cannot be read or is not the file any more that was given, STORAGE where the folder cannot be written.
 */
export async function keepInitialFile(folder: string, { initFrom }: RunConfig): Promise<void> {
  if (initFrom === null) return;
  const copy = await AtomicFile.create(join(folder, initialFileName));
  try {
    const hash = createHash("sha256");
    for await (const chunk of readable(initFrom.file)) {
      hash.update(chunk);
      await copy.write(chunk);
    }
    const digest = hash.digest("hex");
    if (digest !== initFrom.sha256)
      throw new OperatorError(
        "CONFIG",
        `initFrom: ${initFrom.file} has sha256 ${digest}, this run was given one of ${initFrom.sha256}.`,
        "It was changed meanwhile: start again.",
      );
    await copy.commit();
  } finally {
    await copy.abandon();
  }
}

async function* readable(file: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(file, { highWaterMark: checkpointChunkBytes });
  } catch (cause) {
    const problem = `initFrom: ${file} cannot be read: ${messageOf(cause)}.`;
    throw new OperatorError("CONFIG", problem, "Give --init-from a file that the coordinator's host can read.", {
      cause,
    });
  }
}

/** The run folder's copy. Throws CORRUPT where it is missing or the run has none. */
export async function openInitialFile({
  folder,
  config,
}: {
  readonly folder: string;
  readonly config: RunConfig;
}): Promise<{ readonly file: FileHandle; readonly sha256: string }> {
  if (config.initFrom === null)
    throw new OperatorError("MISMATCH", "This run does not begin from a file.", "Run the same build in every process.");
  const path = join(folder, initialFileName);
  try {
    return { file: await open(path), sha256: config.initFrom.sha256 };
  } catch (cause) {
    const problem = `${path} cannot be read: ${messageOf(cause)}.`;
    throw new OperatorError("CORRUPT", problem, `Copy ${config.initFrom.file} there again, or start a new run.`, {
      cause,
    });
  }
}
