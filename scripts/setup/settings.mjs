import { existsSync } from "node:fs";
import { platform } from "./places.mjs";
import { SetupError } from "./setupError.mjs";

/** What the environment variables and the machine ask set-up for. */
export function readSettings(env = process.env) {
  return {
    withAtari: !flag(env, "ANCHORAGE_WITHOUT_ATARI"),
    withMujoco: !flag(env, "ANCHORAGE_WITHOUT_MUJOCO"),
    ...chooseDevice(env),
    natsServer: env.ANCHORAGE_NATS_SERVER || undefined,
  };
}

function flag(env, name) {
  const value = env[name] ?? "";
  if (!["", "0", "1"].includes(value)) throw new SetupError(`${name} is "${value}". Set it to 1, or unset it.`);
  return value === "1";
}

/** @returns {{ device: "cpu" | "gpu", reason: string }} */
function chooseDevice(env) {
  const asked = env.ANCHORAGE_DEVICE ?? "";
  if (!["", "cpu", "gpu"].includes(asked))
    throw new SetupError(`ANCHORAGE_DEVICE is "${asked}". Set it to cpu or gpu, or unset it to let set-up choose.`);
  if (asked === "gpu" && platform !== "linux-x64")
    throw new SetupError(
      `ANCHORAGE_DEVICE is "gpu", but TensorFlow for GPUs exists for linux-x64, not ${platform}. Set it to cpu.`,
    );
  if (asked) return { device: asked, reason: `ANCHORAGE_DEVICE=${asked}` };
  const driver = ["/proc/driver/nvidia/version", "/dev/nvidiactl"].find(existsSync);
  if (driver && platform === "linux-x64") return { device: "gpu", reason: `NVIDIA driver found (${driver})` };
  return { device: "cpu", reason: "no NVIDIA driver found" };
}
