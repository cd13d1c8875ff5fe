import {
  closeSync,
  copyFileSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { messageOf } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";

/** A log file is cut when it is larger; this many older pieces stay beside it as `.1` (the newest), `.2`, ... */
const limitBytes = 8 * 1024 * 1024;
const piecesKept = 3;
const lookEveryMs = 5_000;

/**
 * Keeps the logs of `train`'s processes in a run folder bounded: (1 + 3) x 8 MiB each. Gives what ends it. The processes
 * hold their log open as stderr, where crashes, TensorFlow and NATS write too, so it is copied and cut, not renamed.
 */
export function rotateLogs(runDir: string, log: Logger): () => void {
  const look = (): void => {
    for (const path of logFiles(runDir)) {
      try {
        rotateIfLarger(path, limitBytes, piecesKept);
      } catch (error) {
        log.warn(`${path} could not be rotated: ${messageOf(error)}`); // a full disk, or the folder is gone: tried again
      }
    }
  };
  const timer = setInterval(look, lookEveryMs).unref();
  return () => clearInterval(timer);
}

function logFiles(runDir: string): string[] {
  return ["logs", "nats"].flatMap((folder) => {
    try {
      const names = readdirSync(join(runDir, folder));
      return names.filter((name) => name.endsWith(".log")).map((name) => join(runDir, folder, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return []; // --json: no logs/
      throw error;
    }
  });
}

/**
 * Cuts a log that its writers go on appending to (O_APPEND). Everything is in `path.1` before the file is cut, also what
 * is written while it is copied; killed in between, some lines stand twice and none is missing. Only a line that falls
 * into the microseconds between the last read, which finds nothing more, and the cut is lost.
 */
export function rotateIfLarger(path: string, bytes: number, pieces: number): void {
  if (statSync(path).size <= bytes) return;
  const copy = `${path}.0`;
  try {
    copyFileSync(path, copy);
  } catch (error) {
    rmSync(copy, { force: true }); // the disk is full: the older pieces stay what they are
    throw error;
  }
  for (let i = pieces - 1; i >= 1; i--) renameIfThere(`${path}.${i}`, `${path}.${i + 1}`);
  renameSync(copy, `${path}.1`);
  cutAfterCopying(path, `${path}.1`);
}

function cutAfterCopying(path: string, copy: string): void {
  const from = openSync(path, "r+");
  const to = openSync(copy, "a");
  try {
    const chunk = Buffer.alloc(64 * 1024);
    let at = fstatSync(to).size;
    for (let read = readSync(from, chunk, 0, chunk.length, at); read > 0; ) {
      writeSync(to, chunk, 0, read);
      at += read;
      read = readSync(from, chunk, 0, chunk.length, at);
    }
    ftruncateSync(from, 0);
  } finally {
    closeSync(from);
    closeSync(to);
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
