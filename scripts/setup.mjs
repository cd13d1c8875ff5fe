/**
 * npm run setup: gets and builds everything that is not TypeScript, and writes build/paths.json.
 * Idempotent: what is there is kept, in the cache folder for all clones; a run with nothing to do takes well under 3 s.
 *
 *   ANCHORAGE_CACHE=DIR            where downloads and builds are kept (else $XDG_CACHE_HOME/anchorage, ~/.cache/anchorage)
 *   ANCHORAGE_DEVICE=cpu|gpu       which TensorFlow; unset: gpu if there is an NVIDIA driver
 *   ANCHORAGE_WITHOUT_ATARI=1      leave ALE (GPL-2) out
 *   ANCHORAGE_WITHOUT_MUJOCO=1     leave MuJoCo out
 *   ANCHORAGE_NATS_SERVER=FILE     use that NATS server
 *   ANCHORAGE_PYTHON, CXX, ANCHORAGE_JOBS   the Python whose pip downloads, the C++ compiler, compile jobs at once
 */
import { existsSync, readFileSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { addonSources, setUpAddon } from "./setup/addons.mjs";
import { setUpAle } from "./setup/ale.mjs";
import { compilerVersion, digestOf, filesBelow } from "./setup/compiler.mjs";
import { withLock } from "./setup/lock.mjs";
import { setUpMujoco, setUpRobotModels } from "./setup/mujoco.mjs";
import { natsServerOnPath, setUpNatsServer } from "./setup/natsServer.mjs";
import { npmPackagesPresent, setUpNpmPackages } from "./setup/npmPackages.mjs";
import { removeLeftovers, used, whole } from "./setup/part.mjs";
import { cacheFolder, keyOf, pathsFile, projectRoot, stampFile, startedAs } from "./setup/places.mjs";
import { sayTotal } from "./setup/progress.mjs";
import { prune, rememberUser } from "./setup/prune.mjs";
import { checkRequirements } from "./setup/requirements.mjs";
import { readSettings } from "./setup/settings.mjs";
import { fail, SetupError } from "./setup/setupError.mjs";
import { setUpBinding, setUpTensorflow } from "./setup/tensorflow.mjs";

/** Sets up what is missing. Throws a SetupError, or an AggregateError of them, if something cannot be had. */
export async function setUp() {
  const settings = readSettings();
  if (upToDate(await stamp(settings))) return sayTotal("nothing to do");
  checkRequirements(settings);
  // the project's lock first, then the cache's: always in this order
  await withLock(projectRoot, () => withLock(cacheFolder(), () => setUpAll(settings)));
}

async function setUpAll(settings) {
  if (upToDate(await stamp(settings))) return sayTotal("nothing to do: another set-up did it");
  await removeLeftovers();
  const before = await stamp(settings);
  const { paths, errors } = await setUpParts(settings);
  await whole(pathsFile, (temporary) => writeFile(temporary, `${JSON.stringify(paths, null, 2)}\n`));
  if (errors.length) throw new AggregateError(errors);
  await rememberUser([...used]);
  await prune();
  await whole(stampFile, (temporary) => writeFile(temporary, JSON.stringify({ stamp: before })));
  sayTotal("all is there");
}

/** Every part, as far as it can be had: one that fails does not keep the others back. */
async function setUpParts(settings) {
  const npm = setUpNpmPackages();
  const tensorflow = setUpTensorflow(settings.device);
  const ale = settings.withAtari ? setUpAle() : undefined;
  const mujoco = settings.withMujoco ? setUpMujoco() : undefined;
  const models = settings.withMujoco ? setUpRobotModels() : undefined;
  const parts = {
    // these are here to be waited for and to fail once: what is built on them follows
    npm,
    ale,
    mujocoLibrary: mujoco,
    tensorflowLibrary: tensorflow,
    tensorflow: both(npm, tensorflow, (library) =>
      setUpBinding(settings.device, library).then(() => ({ device: settings.device, library })),
    ),
    atariRoms: ale?.then((folder) => join(folder, "roms")),
    mujocoModels: models,
    natsServer: setUpNatsServer(settings),
    atari: ale && both(npm, ale, (folder) => setUpAddon("atari", { ale: folder })),
    mujoco: mujoco && both(npm, mujoco, (folder) => setUpMujocoAddon(folder)),
    session: both(npm, tensorflow, (library) => setUpAddon("session", { tensorflow: library })),
  };
  const settled = await Promise.allSettled(Object.values(parts));
  const value = (name) => settled[Object.keys(parts).indexOf(name)].value ?? null;
  return {
    paths: {
      tensorflow: value("tensorflow"),
      atariRoms: value("atariRoms"),
      mujocoModels: value("mujocoModels"),
      natsServer: value("natsServer"),
      addons: { atari: value("atari"), mujoco: value("mujoco"), session: value("session") },
    },
    errors: [...new Set(settled.filter((one) => one.status === "rejected").map((one) => one.reason))],
  };
}

const both = async (first, second, then) => then((await Promise.all([first, second]))[1]);

async function setUpMujocoAddon(folder) {
  const [mujocoLibrary] = await readdir(join(folder, "lib"));
  return setUpAddon("mujoco", { mujoco: folder, mujocoLibrary });
}

/** A digest of all that decides what set-up makes, cheap to compute. */
async function stamp(settings) {
  const scripts = await filesBelow(projectRoot, "scripts/setup", [".mjs", ".py"]);
  const files = ["package-lock.json", "scripts/setup.mjs", "scripts/pins.mjs", ...scripts, ...(await addonSources())];
  const compiler = await compilerVersion().catch(() => "none");
  return keyOf(settings, cacheFolder(), compiler, natsServerOnPath(), await digestOf(projectRoot, files));
}

/** True if the last set-up was for this stamp and what it made is still there. */
function upToDate(stampNow) {
  if (!existsSync(stampFile) || !existsSync(pathsFile)) return false;
  if (JSON.parse(readFileSync(stampFile, "utf8")).stamp !== stampNow || !npmPackagesPresent()) return false;
  const { tensorflow, addons, ...rest } = JSON.parse(readFileSync(pathsFile, "utf8"));
  const binding = join(
    projectRoot,
    "node_modules/@tensorflow",
    tensorflow.device === "gpu" ? "tfjs-node-gpu" : "tfjs-node",
    "lib/napi-v8/tfjs_binding.node",
  );
  const made = [tensorflow.library, binding, ...Object.values(addons), ...Object.values(rest)];
  return made.every((path) => path === null || existsSync(path));
}

if (startedAs(import.meta.url)) {
  if (process.argv.length > 2)
    fail(
      new SetupError(
        `Set-up takes no arguments, but got ${process.argv.slice(2).join(" ")}. Its settings are environment variables: see the top of scripts/setup.mjs.`,
      ),
    );
  await setUp().catch(fail);
}
