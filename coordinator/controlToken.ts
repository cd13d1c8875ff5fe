import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readSecret } from "../shared/secretFile.ts";
import { storageError } from "./atomicFile.ts";

/** Secrets of a run are in this folder of it, which only its owner can open. */
export const secretsFolder = (runDir: string): string => join(runDir, "secrets");

/** The token of whoever may pause, resume and stop the run: its owner, by the file's mode. */
export const controlTokenFile = (runDir: string): string => join(secretsFolder(runDir), "control-token");

/** 32 random bytes, as text without characters that mean something to a shell, a header or a config file. */
export const newToken = (): string => randomBytes(32).toString("base64url");

/** Makes or replaces a file that only the owner can read. Throws STORAGE. */
export function writeSecret(runDir: string, name: string, text: string): string {
  const path = join(secretsFolder(runDir), name);
  try {
    // Not `recursive`, which never returns where a file system answers ENOENT, as /proc does.
    if (!existsSync(secretsFolder(runDir))) mkdirSync(secretsFolder(runDir), { mode: 0o700 });
    writeFileSync(path, text, { mode: 0o600 });
  } catch (cause) {
    throw storageError(`${path} cannot be written`, cause);
  }
  return path;
}

/** The token that `controlToken` names, or else the run's own, made at its first start. Throws CONFIG or STORAGE. */
export function controlToken(runDir: string, given: string | null): string {
  if (given !== null) return readSecret("controlToken", given);
  const file = controlTokenFile(runDir);
  if (!existsSync(file)) writeSecret(runDir, "control-token", `${newToken()}\n`);
  return readSecret("controlToken", file);
}
