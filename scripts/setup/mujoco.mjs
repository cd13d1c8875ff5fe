import { readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pins, versionOf } from "../pins.mjs";
import { forget, unpack } from "./archives.mjs";
import { part } from "./part.mjs";
import { keyOf, platform } from "./places.mjs";

/** MuJoCo from its wheel: lib/libmujoco.so.VERSION and include/mujoco/. */
export function setUpMujoco() {
  const pin = pins.mujoco[platform];
  return part(`mujoco-${versionOf(pin)}-${keyOf(pin)}`, async (folder) => {
    await unpack(pin, folder, ["mujoco/libmujoco.so.*", "mujoco/include/mujoco/*"]);
    await rename(join(folder, "mujoco", "include"), join(folder, "include"));
    await rename(join(folder, "mujoco"), join(folder, "lib"));
    await forget(pin);
  });
}

/** Gymnasium's robot models: a folder of .xml files. */
export function setUpRobotModels() {
  const pin = pins.robotModels[platform];
  return part(`mujoco-models-${versionOf(pin)}-${keyOf(pin)}`, async (folder) => {
    const assets = join(folder, "gymnasium", "envs", "mujoco", "assets");
    await unpack(pin, folder, ["gymnasium/envs/mujoco/assets/*.xml"]);
    for (const name of await readdir(assets)) await rename(join(assets, name), join(folder, name));
    await rm(join(folder, "gymnasium"), { recursive: true });
    await forget(pin);
  });
}
