import { mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { storageError } from "../coordinator/atomicFile.ts";

/** Opens `runDir/folder/file` for appending; of the folders, only the last one is made. Throws STORAGE. */
export function openInRun(runDir: string, folder: string, file: string): number {
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
