import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { messageOf, OperatorError } from "../shared/errors.ts";

/** Names of files that are not finished; whatever carries it after a crash is removed. */
export const unfinished = /\.unfinished-\d+$/;
let made = 0;

/** A file that appears under its name only when it is whole and on the disk: temp file, fsync, rename, fsync folder. */
export class AtomicFile {
  readonly path: string;
  readonly #temporary: string;
  readonly #handle: FileHandle;
  #open = true;

  private constructor(path: string, temporary: string, handle: FileHandle) {
    this.path = path;
    this.#temporary = temporary;
    this.#handle = handle;
  }

  /** Throws STORAGE if the folder cannot be written. */
  static async create(path: string): Promise<AtomicFile> {
    const temporary = join(dirname(path), `${basename(path)}.unfinished-${process.pid}${made++}`);
    try {
      return new AtomicFile(path, temporary, await open(temporary, "wx"));
    } catch (cause) {
      throw storageError(`${path} cannot be written`, cause);
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length; ) at += (await this.#handle.write(bytes, at)).bytesWritten;
    } catch (cause) {
      await this.abandon();
      throw storageError(`${this.path} cannot be written`, cause);
    }
  }

  /** Makes the file appear. Throws STORAGE and leaves nothing behind if that fails. */
  async commit(): Promise<void> {
    try {
      await this.#handle.sync();
      await this.#close();
      await rename(this.#temporary, this.path);
      await syncFolder(dirname(this.path));
    } catch (cause) {
      await this.abandon();
      throw storageError(`${this.path} cannot be written`, cause);
    }
  }

  /** Removes what was written so far; harmless after commit. What a failed disk keeps of it goes when its folder is next opened. */
  async abandon(): Promise<void> {
    const removed = this.#close().then(() => rm(this.#temporary, { force: true }));
    await removed.catch(() => undefined); // why it was abandoned is the error to tell: STORAGE is tried again, others are not
  }

  async #close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#handle.close();
  }
}

/** Replaces a whole file at once. Throws STORAGE; the older content then stays. */
export async function writeAtomically(path: string, content: Uint8Array | string): Promise<void> {
  const file = await AtomicFile.create(path);
  await file.write(typeof content === "string" ? Buffer.from(content) : content);
  await file.commit();
}

/** A rename is only on the disk once its folder is. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const remedies: Partial<Record<string, string>> = {
  ENOSPC: "Free space on that disk; what was stored before is untouched.",
  EDQUOT: "The quota of that disk is used up; what was stored before is untouched.",
  EACCES: "Give this user write permission, or choose another --run-dir.",
  EPERM: "Give this user write permission, or choose another --run-dir.",
  EROFS: "That disk is mounted read-only: mend that, or choose another --run-dir.",
  ENOENT: "Was the run folder moved or deleted while the run went on? Else choose another --run-dir.",
};

/** STORAGE error for a failed file operation. */
export function storageError(what: string, cause: unknown): OperatorError {
  const code = cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined;
  const why = code === "ENOSPC" ? "the disk is full (ENOSPC)" : messageOf(cause);
  return new OperatorError("STORAGE", `${what}: ${why}.`, remedies[code ?? ""] ?? "Check the disk.", { cause });
}
