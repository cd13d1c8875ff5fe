import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { command } from "./command.mjs";
import { whole } from "./part.mjs";
import { cacheFolder, keyOf } from "./places.mjs";
import { touch } from "./prune.mjs";

/** No -march=native: it brought nothing, and results must not depend on the machine. No fused multiply-add, for the same reason. */
const baseFlags = ["-std=c++17", "-O3", "-fPIC", "-ffp-contract=off", "-DNDEBUG"];

export const compiler = () => process.env.CXX || "g++";

let version;
/** First line of `g++ --version`: part of every key. */
export function compilerVersion() {
  version ??= command(compiler(), ["--version"]).then((text) => text.split("\n")[0]);
  return version;
}

/** Compile jobs of all parts together: one per core. */
const jobs = Number(process.env.ANCHORAGE_JOBS) || availableParallelism();
let running = 0;
const waiting = [];

async function oneJob(work) {
  if (running >= jobs) await new Promise((go) => waiting.push(go));
  else running++;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running--;
  }
}

/**
 * Compiles one source and gives its object file, from the cache if the same source was compiled with the same flags,
 * compiler and headers before. `source` and the flags are relative to `cwd`, so that every clone finds the same object.
 * `headers` identifies the headers: a digest of ours, or the version of a package.
 */
export async function compileObject({ cwd, source, flags, headers }) {
  const all = [...baseFlags, ...flags];
  const text = await readFile(join(cwd, source), "latin1");
  const object = join(cacheFolder(), "objects", `${keyOf(source, text, all, headers, await compilerVersion())}.o`);
  if (existsSync(object)) await touch(object);
  else
    await oneJob(() =>
      whole(object, (temporary) => command(compiler(), [...all, "-c", source, "-o", temporary], { cwd })),
    );
  return object;
}

/** Links objects into a library that Node or a loader opens. */
export function linkShared(objects, flags, output) {
  return oneJob(() => command(compiler(), ["-shared", "-o", output, ...objects, ...flags]));
}

/** Every file below a folder whose name ends so, sorted and relative to `cwd`, as `folder` is; an absent folder has none. */
export async function filesBelow(cwd, folder, endings) {
  if (!existsSync(join(cwd, folder))) return [];
  const entries = await readdir(join(cwd, folder), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)));
  return files.map((entry) => relative(cwd, join(entry.parentPath, entry.name))).sort();
}

/** One digest over names and contents of files, relative to `cwd`. */
export async function digestOf(cwd, files) {
  const hash = createHash("sha256");
  for (const file of files)
    hash
      .update(`${file}\0`)
      .update(await readFile(join(cwd, file)))
      .update("\0");
  return hash.digest("hex");
}
