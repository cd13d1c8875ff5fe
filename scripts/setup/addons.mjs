import { existsSync, readFileSync } from "node:fs";
import { copyFile, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { compileObject, compilerVersion, digestOf, filesBelow, linkShared } from "./compiler.mjs";
import { part, whole } from "./part.mjs";
import { buildFolder, keyOf, projectRoot } from "./places.mjs";
import { say, step } from "./progress.mjs";
import { tensorflowFlags } from "./tensorflow.mjs";

const engine = "native/src/engine";
const headerEndings = [".h", ".hpp", ".inl"];

/** Where each addon's C++ is, and what it links. `found` holds the folders of ALE, MuJoCo and TensorFlow. */
const addons = {
  atari: {
    folders: [engine, "native/src/atari"],
    flags: ({ ale }) => ({
      compile: [`-I${join(ale, "include")}`, `-I${join(ale, "include", "ale")}`],
      link: [join(ale, "lib", "libale.a"), "-lz", "-lpthread"],
    }),
  },
  mujoco: {
    folders: [engine, "native/src/mujoco"],
    flags: ({ mujoco, mujocoLibrary }) => ({
      compile: [`-I${join(mujoco, "include")}`],
      link: [`-L${join(mujoco, "lib")}`, `-l:${mujocoLibrary}`, `-Wl,-rpath,${join(mujoco, "lib")}`],
    }),
  },
  session: { folders: ["learner/compile/session"], flags: ({ tensorflow }) => tensorflowFlags(tensorflow) },
};

/** All C++ files of ours: what they contain decides whether there is something to build. */
export async function addonSources() {
  const folders = [...new Set(Object.values(addons).flatMap((addon) => addon.folders))];
  const files = await Promise.all(folders.map((folder) => filesBelow(projectRoot, folder, [".cc", ...headerEndings])));
  return files.flat();
}

/**
 * Compiles and links one addon to `into`/NAME.node and gives that path, or null while it has no sources. `further`:
 * more flags for compiling and linking.
 */
export async function setUpAddon(name, found, { into = buildFolder, further = [] } = {}) {
  const { folders, flags } = addons[name];
  if ((await filesBelow(projectRoot, folders.at(-1), [".cc"])).length === 0) {
    say(`${folders.at(-1)} holds no .cc file: the ${name} addon is left out`);
    return null;
  }
  const below = async (endings) =>
    (await Promise.all(folders.map((folder) => filesBelow(projectRoot, folder, endings)))).flat();
  const sources = await below([".cc"]);
  const headers = keyOf(await digestOf(projectRoot, await below(headerEndings)), headerVersions());
  const { compile, link } = flags(found);
  const all = [...ownFlags, ...compile, ...further];
  const sourcesDigest = await digestOf(projectRoot, sources);
  const made = await part(
    `addon-${name}-${keyOf(headers, all, link, sourcesDigest, await compilerVersion())}`,
    (temporary) =>
      step(`compile the ${name} addon`, async () => {
        const objects = await Promise.all(
          sources.map((source) => compileObject({ cwd: projectRoot, source, flags: all, headers })),
        );
        await linkShared(objects, [...link, ...further], join(temporary, `${name}.node`));
      }),
  );
  return copyInto(into, join(made, `${name}.node`));
}

const nodeHeaders = ["node-api-headers/include", "node-addon-api"];

const ownFlags = [
  "-Wall",
  "-Wextra",
  "-Wno-unused-parameter",
  "-fvisibility=hidden",
  "-DNAPI_VERSION=8",
  "-DNAPI_CPP_EXCEPTIONS",
  "-Inative/src",
  ...nodeHeaders.flatMap((folder) => ["-isystem", `node_modules/${folder}`]),
];

const headerVersions = () =>
  nodeHeaders.map((folder) => {
    const file = join(projectRoot, "node_modules", folder.split("/")[0], "package.json");
    return JSON.parse(readFileSync(file, "utf8")).version;
  });

/** A new file under the old name: a process that has the old one open keeps it. */
async function copyInto(folder, made) {
  const target = join(folder, basename(made));
  if (!existsSync(target) || !(await readFile(target)).equals(await readFile(made)))
    await whole(target, (temporary) => copyFile(made, temporary));
  return target;
}
