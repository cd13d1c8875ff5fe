import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { cacheFolder } from "./places.mjs";

/** Every part that this set-up has asked for. */
export const used = new Set();

/**
 * A folder of the cache that is either absent or complete: `make(folder)` fills a temporary one, which is renamed
 * when it is whole. Gives the finished folder's path.
 */
export async function part(name, make) {
  const folder = join(cacheFolder(), "parts", name);
  used.add(folder);
  if (existsSync(folder)) return folder;
  await whole(folder, async (temporary) => {
    await mkdir(temporary, { recursive: true });
    await make(temporary);
  });
  return folder;
}

/** The same for a single file or folder at any path. */
export async function whole(path, make) {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  await mkdir(dirname(path), { recursive: true });
  await rm(temporary, { recursive: true, force: true });
  try {
    await make(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    // another machine that shares the cache was faster: its result is as good as ours
    if (!(["ENOTEMPTY", "EEXIST"].includes(error.code) && existsSync(path))) throw error;
  }
}

/** Removes what a killed set-up left half done. Only under the lock. */
export async function removeLeftovers() {
  for (const folder of ["parts", "objects", "downloads"].map((name) => join(cacheFolder(), name))) {
    const names = existsSync(folder) ? await readdir(folder) : [];
    for (const name of names) {
      const maker = /^\..*\.(\d+)\.tmp(\..*)?$/.exec(name)?.[1];
      if (maker && !existsSync(`/proc/${maker}`)) await rm(join(folder, name), { recursive: true, force: true });
    }
  }
}
