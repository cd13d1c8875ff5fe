/**
 * The addons compiled with AddressSanitizer and UndefinedBehaviorSanitizer, beside the ordinary ones: build/sanitized/ and
 * a paths.json there that ANCHORAGE_NATIVE_PATHS names. `node scripts/sanitizers.mjs -- COMMAND...` builds them and
 * runs a command with them; reports go to the files that SANITIZER_LOG begins the names of (default: stderr).
 * MuJoCo's and TensorFlow's own libraries are binaries: in them only what they ask of malloc and libc is watched.
 */
import { spawn } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setUpAddon } from "./setup/addons.mjs";
import { setUpAle } from "./setup/ale.mjs";
import { command } from "./setup/command.mjs";
import { compiler } from "./setup/compiler.mjs";
import { withLock } from "./setup/lock.mjs";
import { setUpMujoco } from "./setup/mujoco.mjs";
import { whole } from "./setup/part.mjs";
import { buildFolder, cacheFolder, pathsFile, startedAs } from "./setup/places.mjs";
import { fail, SetupError } from "./setup/setupError.mjs";
import { setUp } from "./setup.mjs";

/** They come after -O3. The library's assertions check every index of a vector or array. */
export const sanitizerFlags = [
  "-O1",
  "-g1",
  "-fno-omit-frame-pointer",
  "-fsanitize=address,undefined",
  "-D_GLIBCXX_ASSERTIONS",
];
const folder = join(buildFolder, "sanitized");

/** Builds what is missing (ALE: three CPU-minutes, once per machine). Gives the variables that a process needs to use it. */
export async function setUpSanitizers() {
  await setUp();
  const plain = JSON.parse(await readFile(pathsFile, "utf8"));
  const addons = await withLock(cacheFolder(), () => build(plain));
  const file = join(folder, "paths.json");
  await whole(file, (temporary) => writeFile(temporary, `${JSON.stringify({ ...plain, addons }, null, 2)}\n`));
  return { ...(await runtime()), ANCHORAGE_NATIVE_PATHS: file };
}

async function build({ addons, tensorflow }) {
  const built = (name, found) => setUpAddon(name, found, { into: folder, further: sanitizerFlags });
  return {
    atari: addons.atari && (await built("atari", { ale: await setUpAle(sanitizerFlags) })),
    mujoco: addons.mujoco && (await built("mujoco", await mujoco())),
    session: addons.session && (await built("session", { tensorflow: tensorflow.library })),
  };
}

async function mujoco() {
  const found = await setUpMujoco();
  return { mujoco: found, mujocoLibrary: (await readdir(join(found, "lib")))[0] };
}

/** The sanitizers' library must come before Node's first malloc. Leaks are not looked for: V8 frees little at its end. */
async function runtime() {
  const library = (name) => command(compiler(), [`-print-file-name=${name}`]).then((text) => text.trim());
  const preloaded = await Promise.all(["libasan.so", "libubsan.so", "libstdc++.so"].map(library));
  if (preloaded.some((path) => !path.includes("/")))
    throw new SetupError(`${compiler()} comes without the sanitizers' libraries. Install libasan and libubsan for it.`);
  const log = process.env.SANITIZER_LOG ? [`log_path=${process.env.SANITIZER_LOG}`] : [];
  return {
    LD_PRELOAD: preloaded.join(" "),
    ASAN_OPTIONS: ["detect_leaks=0", "detect_stack_use_after_return=0", ...log].join(":"),
    UBSAN_OPTIONS: ["print_stacktrace=1", ...log].join(":"),
  };
}

if (startedAs(import.meta.url)) {
  try {
    const env = { ...process.env, ...(await setUpSanitizers()) };
    const [program, ...args] = process.argv.slice(process.argv[2] === "--" ? 3 : 2);
    if (program) {
      const child = spawn(program, args, { stdio: "inherit", env });
      child.on("error", (error) => fail(new SetupError(`${program} could not be started: ${error.message}`)));
      child.on("close", (status) => {
        process.exitCode = status ?? 1;
      });
    }
  } catch (error) {
    fail(error);
  }
}
