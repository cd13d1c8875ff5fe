/** npm run doctor [-- --json]: what is there, in which version, CPU or GPU and why, and what to do about what is not. Exit 1 if something needed is missing. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pins, versionOf } from "./pins.mjs";
import { python } from "./setup/archives.mjs";
import { compiler } from "./setup/compiler.mjs";
import { natsVersion } from "./setup/natsServer.mjs";
import { npmPackagesPresent } from "./setup/npmPackages.mjs";
import { cacheFolder, pathsFile, platform, projectRoot } from "./setup/places.mjs";
import { missingTools, nodeSupported, remedy } from "./setup/requirements.mjs";
import { readSettings } from "./setup/settings.mjs";
import { fail, SetupError } from "./setup/setupError.mjs";

const runSetup = "npm run setup";

/** One row: state is ok, missing, broken or left out. */
const ok = (name, version, path = "") => ({ name, state: "ok", version, path, remedy: "" });
const missing = (name, remedyText, path = "") => ({ name, state: "missing", version: "", path, remedy: remedyText });
const leftOut = (name, why) => ({ name, state: "left out", version: "", path: "", remedy: why });

function examine() {
  const settings = readSettings();
  const paths = existsSync(pathsFile) ? JSON.parse(readFileSync(pathsFile, "utf8")) : { addons: {} };
  const parts = [
    node(),
    npmPackagesPresent() ? ok("npm packages", "as locked") : missing("npm packages", runSetup),
    ...tensorflow(paths, settings),
    ...atari(paths, settings),
    ...mujoco(paths, settings),
    addon("session", paths),
    natsServer(paths),
  ];
  const needed = parts.filter((part) => part.state === "missing" || part.state === "broken");
  const tools = missingTools(settings);
  return {
    ok: needed.length === 0,
    platform,
    device: settings.device,
    deviceReason: settings.reason,
    cache: cacheFolder(),
    parts,
    // the tools build the parts: with all of them built, nobody misses a compiler
    tools: tools.length ? `missing:\n${remedy(tools)}` : toolVersions(),
  };
}

function node() {
  const { node: version } = process.versions;
  const major = Number(version.split(".")[0]);
  if (!nodeSupported())
    return { ...missing("Node", "Install Node 20.19 or newer: 20, 22 or 24.", process.execPath), version };
  const tested = [20, 22, 24].includes(major) ? version : `${version} (works on 20, 22 and 24; not tested on ${major})`;
  return ok("Node", tested, process.execPath);
}

function tensorflow({ tensorflow: found }, { device, reason }) {
  const version = versionOf(
    (device === "gpu" ? pins.tensorflowGpu : pins.tensorflowCpu)[platform] ?? pins.tensorflowCpu["linux-x64"],
  );
  if (!found || !existsSync(join(found.library, "libtensorflow_cc.so.2")))
    return [missing(`TensorFlow for ${device.toUpperCase()} (${reason})`, runSetup)];
  if (found.device !== device) {
    const name = `TensorFlow for ${device.toUpperCase()} (${reason})`;
    return [missing(name, `set up for ${found.device.toUpperCase()}; to change that: ${runSetup}`, found.library)];
  }
  const packageName = device === "gpu" ? "tfjs-node-gpu" : "tfjs-node";
  const binding = join(projectRoot, "node_modules/@tensorflow", packageName, "lib/napi-v8/tfjs_binding.node");
  return [
    ok(`TensorFlow for ${device.toUpperCase()} (${reason})`, version, found.library),
    loads(`${packageName}'s binding`, binding, "N-API 8"),
  ];
}

function atari(paths, { withAtari }) {
  if (!withAtari) return [leftOut("Atari (ALE)", "ANCHORAGE_WITHOUT_ATARI is set")];
  const roms = paths.atariRoms && existsSync(paths.atariRoms) ? readdirSync(paths.atariRoms) : [];
  const count = roms.filter((name) => name.endsWith(".bin")).length;
  const version = `ALE ${versionOf(pins.ale["linux-x64"])}, ${count} ROMs`;
  return [count ? ok("Atari ROMs", version, paths.atariRoms) : missing("Atari ROMs", runSetup), addon("atari", paths)];
}

function mujoco(paths, { withMujoco }) {
  if (!withMujoco) return [leftOut("MuJoCo", "ANCHORAGE_WITHOUT_MUJOCO is set")];
  const there = paths.mujocoModels && existsSync(paths.mujocoModels);
  const version = `MuJoCo ${versionOf(pins.mujoco["linux-x64"])}, models of Gymnasium ${versionOf(pins.robotModels["linux-x64"])}`;
  return [
    there ? ok("MuJoCo models", version, paths.mujocoModels) : missing("MuJoCo models", runSetup),
    addon("mujoco", paths),
  ];
}

const addon = (name, { addons }) => loads(`${name} addon`, addons[name], "N-API 8");

/** A file that is there may still not load (another libc, a moved cache): so it is loaded, in a process of its own. */
function loads(name, file, version) {
  if (!file || !existsSync(file)) return missing(name, runSetup, file ?? "");
  const tried = spawnSync(process.execPath, ["-e", "require(process.argv[1])", file], { encoding: "utf8" });
  if (tried.status === 0) return ok(name, version, file);
  const why = /Error: (.*)/.exec(tried.stderr)?.[1] ?? `loading it ended with ${tried.signal ?? tried.status}`;
  return {
    name,
    state: "broken",
    version: "",
    path: file,
    remedy: `${why}; remove ${cacheFolder()}/parts and run: ${runSetup}`,
  };
}

function natsServer({ natsServer: file }) {
  const version = file && natsVersion(file);
  return version ? ok("NATS server", version, file) : missing("NATS server", runSetup, file ?? "");
}

function toolVersions() {
  const first = (program, ...args) => spawnSync(program, args, { encoding: "utf8" }).stdout.split("\n")[0];
  return [
    first(compiler(), "--version"),
    first(python(), "--version"),
    first(python(), "-m", "pip", "--version").split(" from")[0],
  ].join(", ");
}

function print(report) {
  const rows = report.parts.map((part) => [part.state, part.name, part.version, part.path || part.remedy]);
  const width = (column) => Math.max(...rows.map((row) => row[column].length));
  for (const row of rows)
    console.log(`${[0, 1, 2].map((column) => row[column].padEnd(width(column))).join("  ")}  ${row[3]}`);
  console.log(
    `\ndevice  ${report.device.toUpperCase()}: ${report.deviceReason}\ncache   ${report.cache}\ntools   ${report.tools}`,
  );
  const wrong = report.parts.filter((part) => part.state === "missing" || part.state === "broken");
  for (const part of wrong) console.log(`\n${part.name} is ${part.state}. What to do: ${part.remedy}`);
  console.log(
    report.ok
      ? "\nEverything that is needed is there."
      : `\n${wrong.length} of ${report.parts.length} parts are not there.`,
  );
}

try {
  const unknown = process.argv.slice(2).filter((argument) => argument !== "--json");
  if (unknown.length) throw new SetupError(`doctor does not know ${unknown.join(" ")}. It knows --json.`);
  const report = examine();
  if (process.argv.includes("--json")) console.log(JSON.stringify(report));
  else print(report);
  process.exitCode = report.ok ? 0 : 1;
} catch (error) {
  fail(error);
}
