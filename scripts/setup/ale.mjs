import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pins, versionOf } from "../pins.mjs";
import { forget, unpack } from "./archives.mjs";
import { command } from "./command.mjs";
import { compileObject, compilerVersion, filesBelow } from "./compiler.mjs";
import { part } from "./part.mjs";
import { keyOf, platform } from "./places.mjs";
import { say, step } from "./progress.mjs";

/** Raise it when the way ALE is built changes. */
const recipe = 1;

/**
 * The Arcade Learning Environment: lib/libale.a, include/ (its whole source tree's headers) and roms/.
 * GPL-2: it is compiled on the user's machine and neither it nor the ROMs are redistributed.
 * `flags`: further compiler flags (those of scripts/sanitizers.mjs).
 */
export async function setUpAle(flags = []) {
  const pin = pins.ale[platform];
  const key = keyOf(pin, recipe, await compilerVersion(), ...flags);
  return part(`ale-${versionOf(pin)}-${key}`, async (folder) => {
    const unpacked = join(folder, "unpacked");
    await unpack(pin, unpacked, ["*/src/ale/*"]);
    const source = join(unpacked, (await readdir(unpacked))[0], "src");
    await writeVersionHeader(join(source, "ale", "version.hpp.in"), versionOf(pin), join(source, "version.hpp"));
    await rename(join(source, "ale", "python", "roms"), join(folder, "roms"));
    for (const unused of ["python", "vector", "wasm"]) await rm(join(source, "ale", unused), { recursive: true });
    await step(`compile ALE ${versionOf(pin)} (a minute or two)`, () => compileLibrary(source, folder, { key, flags }));
    await cp(source, join(folder, "include"), {
      recursive: true,
      filter: (path) => !/\.(cpp|cxx|c|txt|in)$/.test(path),
    });
    await rm(unpacked, { recursive: true });
    await forget(pin);
  });
}

async function writeVersionHeader(template, version, output) {
  const [major, minor, patch] = version.split(".");
  const values = {
    VERSION: version,
    VERSION_MAJOR: major,
    VERSION_MINOR: minor,
    VERSION_PATCH: patch,
    VERSION_GIT_SHA: "pypi",
  };
  const text = await readFile(template, "utf8");
  await writeFile(
    output,
    text.replace(/@ALE_(\w+)@/g, (_, name) => values[name]),
  );
}

async function compileLibrary(cwd, folder, { key, flags }) {
  const sources = await filesBelow(cwd, "ale", [".cpp", ".cxx", ".c"]);
  let done = 0;
  const objects = await Promise.all(
    sources.map(async (source) => {
      const object = await compileObject({
        cwd,
        source,
        flags: ["-include", "cstdint", "-w", "-I.", "-Iale", ...flags],
        headers: key,
      });
      if (++done % 40 === 0) say(`compile ALE: ${done} of ${sources.length} files`);
      return object;
    }),
  );
  await mkdir(join(folder, "lib"));
  await command("ar", ["rcs", join(folder, "lib", "libale.a"), ...objects]);
}
