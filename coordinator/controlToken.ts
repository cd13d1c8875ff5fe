import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readSecret } from "../shared/secretFile.ts";
import { storageError } from "./atomicFile.ts";

/** Secrets of a run are in this folder of it, which only its owner can open. */
export const secretsFolder = (runDir: string): string => join(runDir, "secrets");

/** The token of whoever may pause, resume and stop the run: its owner, by the file's mode. */
export const controlTokenFile = (runDir: string): string => join(secretsFolder(runDir), "control-token");

/** 32 random bytes, as text without characters that mean something to a shell, a header or a config file. */
export const newToken = (): string => randomBytes(32).toString("base64url");

/**
 * Makes or replaces a file that only the owner can read, at once: a crash leaves the older one or none, never an empty
 * one. Throws STORAGE.
 */
export function writeSecret(runDir: string, name: string, text: string): string {
  const folder = secretsFolder(runDir);
  const path = join(folder, name);
  const aside = `${path}.unfinished-${process.pid}`;
  try {
    // Not `recursive`, which never returns where a file system answers ENOENT, as /proc does.
    if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 });
    forOwnerOnly(folder, 0o700);
    rmSync(aside, { force: true }); // of a crash: the mode below is only that of a new file
    writeFileSync(aside, text, { mode: 0o600, flush: true });
    renameSync(aside, path);
  } catch (cause) {
    throw storageError(`${path} cannot be written`, cause);
  }
  return path;
}

/** A folder that was copied or unpacked may have come open to others. */
function forOwnerOnly(path: string, mode: number): void {
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, mode);
}

/** The token that `controlToken` names, or else the run's own, made at its first start. Throws CONFIG or STORAGE. */
export function controlToken(runDir: string, given: string | null): string {
  if (given !== null) return readSecret("controlToken", given);
  const file = controlTokenFile(runDir);
  if (!existsSync(file)) writeSecret(runDir, "control-token", `${newToken()}\n`);
  try {
    forOwnerOnly(secretsFolder(runDir), 0o700);
    forOwnerOnly(file, 0o600);
  } catch (cause) {
    throw storageError(`${file} cannot be kept from others`, cause);
  }
  return readSecret("controlToken", file);
}
