import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const projectRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const buildFolder = join(projectRoot, "build");
export const pathsFile = join(buildFolder, "paths.json");
export const stampFile = join(buildFolder, "setup.json");
export const platform = `${process.platform}-${process.arch}`;

/** Shared by all clones on the machine; ANCHORAGE_CACHE moves it. */
export function cacheFolder(env = process.env) {
  if (env.ANCHORAGE_CACHE) return resolve(env.ANCHORAGE_CACHE);
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "anchorage");
}

/** A short name for everything that decides what a part is. */
export function keyOf(...inputs) {
  return createHash("sha256").update(JSON.stringify(inputs)).digest("hex").slice(0, 16);
}

/** True in the module that `node` was started with, by its import.meta.url. */
export function startedAs(url) {
  return process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(url);
}
