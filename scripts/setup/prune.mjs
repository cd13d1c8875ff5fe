import { existsSync } from "node:fs";
import { readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { whole } from "./part.mjs";
import { cacheFolder, keyOf, projectRoot } from "./places.mjs";
import { say } from "./progress.mjs";

/** What nobody has used for this long goes: a clone that still needs it makes it again. */
const unusedMs = 30 * 24 * 3600 * 1000;

/** Writes down which parts this clone is made of: they stay as long as it is there. */
export function rememberUser(parts, root = projectRoot) {
  const path = join(cacheFolder(), "users", `${keyOf(root)}.json`);
  return whole(path, (temporary) =>
    writeFile(temporary, JSON.stringify({ root, parts: parts.map((one) => basename(one)) })),
  );
}

/** A cached file that is used again is young again. */
export async function touch(path) {
  const now = new Date();
  await utimes(path, now, now).catch((error) => {
    if (!["EACCES", "EPERM", "EROFS"].includes(error.code)) throw error; // a cache shared read-only ages in its owner's hands
  });
}

/**
 * Removes superseded parts and objects: those that no clone is made of and that were neither made nor used for 30 days.
 * Only under the cache's lock.
 */
export async function prune(now = Date.now()) {
  const needed = await partsInUse();
  const removed = [];
  for (const folder of ["parts", "objects"])
    for (const name of await namesIn(join(cacheFolder(), folder))) {
      const path = join(cacheFolder(), folder, name);
      if (name.startsWith(".") || needed.has(name) || now - (await stat(path)).mtimeMs < unusedMs) continue;
      await rm(path, { recursive: true, force: true });
      removed.push(name);
    }
  if (removed.length > 0) say(`removed ${removed.length} superseded parts and objects from ${cacheFolder()}`);
  return removed;
}

/** Of all clones that are still there; what a removed clone wrote down goes with it. */
async function partsInUse() {
  const folder = join(cacheFolder(), "users");
  const needed = new Set();
  for (const name of await namesIn(folder)) {
    const { root, parts } = JSON.parse(await readFile(join(folder, name), "utf8"));
    if (existsSync(root)) for (const part of parts) needed.add(part);
    else await rm(join(folder, name), { force: true });
  }
  return needed;
}

async function namesIn(folder) {
  return existsSync(folder) ? (await readdir(folder)).filter((name) => !name.endsWith(".tmp")) : [];
}
