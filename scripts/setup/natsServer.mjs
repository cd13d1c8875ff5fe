import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, readdir, rename, rm } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { oldestNatsServer, pins, versionOf } from "../pins.mjs";
import { forget, unpack } from "./archives.mjs";
import { part } from "./part.mjs";
import { keyOf, platform } from "./places.mjs";
import { say } from "./progress.mjs";
import { SetupError } from "./setupError.mjs";

/** The server to use: the one that ANCHORAGE_NATS_SERVER names, else one on PATH that is new enough, else our own copy. */
export async function setUpNatsServer(settings) {
  if (settings.natsServer) {
    const file = resolve(settings.natsServer);
    if (!natsVersion(file))
      throw new SetupError(
        `ANCHORAGE_NATS_SERVER is "${settings.natsServer}", which does not run as a NATS server. Correct or unset it.`,
      );
    return file;
  }
  const onPath = natsServerOnPath();
  const version = onPath && natsVersion(onPath);
  if (version && compare(version, oldestNatsServer) >= 0) return onPath;
  if (onPath) say(`${onPath} is ${version ?? "no working server"}, needed is ${oldestNatsServer}: using our own copy`);
  return ownCopy();
}

/** The path of the first nats-server on PATH, or undefined. */
export function natsServerOnPath() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.map((folder) => join(folder, "nats-server")).find(existsSync);
}

async function ownCopy() {
  const pin = pins.natsServer[platform];
  const folder = await part(`nats-server-${versionOf(pin)}-${keyOf(pin)}`, async (temporary) => {
    await unpack(pin, temporary, ["*.data/scripts/nats-server"]);
    const [data] = await readdir(temporary);
    await rename(join(temporary, data, "scripts", "nats-server"), join(temporary, "nats-server"));
    await chmod(join(temporary, "nats-server"), 0o755);
    await rm(join(temporary, data), { recursive: true });
    await forget(pin);
  });
  return join(folder, "nats-server");
}

/** "2.15.1", or undefined if the file does not run. */
export function natsVersion(file) {
  return /v(\d+\.\d+\.\d+)/.exec(spawnSync(file, ["--version"], { encoding: "utf8" }).stdout ?? "")?.[1];
}

function compare(a, b) {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number));
  const at = left.findIndex((number, index) => number !== right[index]);
  return at < 0 ? 0 : left[at] - right[at];
}
