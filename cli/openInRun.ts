import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { storageError } from "../coordinator/atomicFile.ts";

/**
 * Starts a process with `runDir/folder/file` open for appending as its log; of the folders, only the last one is made. The
 * process has a descriptor of its own then: ours is closed, or one would stay open for each that was ever started. Throws
 * STORAGE.
 */
export function withLogInRun<T>(runDir: string, folder: string, file: string, start: (log: number) => T): T {
  const log = openInRun(runDir, folder, file);
  try {
    return start(log);
  } finally {
    closeSync(log);
  }
}

function openInRun(runDir: string, folder: string, file: string): number {
  const path = join(runDir, folder, file);
  try {
    makeFolder(join(runDir, folder));
    return openSync(path, "a");
  } catch (cause) {
    throw storageError(`${path} cannot be written`, cause);
  }
}

/** Not by mkdir's own `recursive`, which never returns where a file system answers ENOENT, as /proc does. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
