import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { loadTensorFlow, tensorflowEnvironment, usedDevice } from "../../learner/tensorflow.ts";
import { nativeParts } from "../../shared/nativeParts.ts";
import { temporaryFolder } from "../system/command.ts";
import { frameNetwork, gaussianNetwork } from "./updateCases.ts";

const dense = { device: "cpu", onednn: "auto", threads: 1, network: gaussianNetwork(1, [], 1) } as const;
const convolutional = { ...dense, network: frameNetwork("small", 2) };

it("chooses oneDNN for convolutions unless told otherwise", () => {
  expect(tensorflowEnvironment(dense)).toMatchObject({ TF_ENABLE_ONEDNN_OPTS: "0", TF_NUM_INTRAOP_THREADS: "1" });
  expect(tensorflowEnvironment(convolutional).TF_ENABLE_ONEDNN_OPTS).toBe("1");
  expect(tensorflowEnvironment({ ...convolutional, onednn: "off" }).TF_ENABLE_ONEDNN_OPTS).toBe("0");
  expect(tensorflowEnvironment({ ...dense, onednn: "on", threads: 3 })).toMatchObject({
    TF_ENABLE_ONEDNN_OPTS: "1",
    TF_NUM_INTRAOP_THREADS: "3",
  });
});

it("computes on a GPU where one is, and on the CPU only where nobody asked for a GPU", () => {
  const { path: folder, remove } = temporaryFolder();
  onTestFinished(remove);
  const withDevices = (name: string, devices: string[]): string => {
    mkdirSync(join(folder, name));
    for (const device of devices) writeFileSync(join(folder, name, device), "");
    return join(folder, name);
  };
  const none = withDevices("none", ["null", "nvidiactl", "nvidia-uvm"]); // the node has a driver, the container no GPU
  const some = ["nvidia1", "dxg"].map((device) => withDevices(device, ["null", device]));

  const installed = (device: string): void => {
    const file = join(folder, `${device}.json`);
    writeFileSync(file, JSON.stringify({ ...nativeParts(), tensorflow: { device, library: folder } }));
    vi.stubEnv("ANCHORAGE_NATIVE_PATHS", file);
  };
  onTestFinished(() => void vi.unstubAllEnvs());
  installed("gpu");
  for (const devices of some) expect([usedDevice("auto", devices), usedDevice("gpu", devices)]).toEqual(["gpu", "gpu"]);
  expect([usedDevice("auto", none), usedDevice("cpu", some[0])]).toEqual(["cpu", "cpu"]);
  expect(() => usedDevice("gpu", none)).toThrow(
    `[SETUP] device=gpu was asked for, and no NVIDIA GPU is here: ${none} has neither nvidia0 nor dxg. Give it one`,
  );
  installed("cpu");
  expect(usedDevice("auto", some[0])).toBe("cpu");
  expect(() => usedDevice("gpu", some[0])).toThrow("set-up installed TensorFlow for the CPU.");
});

it("keeps to the settings that a process began with, and says so", () => {
  const tf = loadTensorFlow(dense);
  expect(loadTensorFlow(dense)).toBe(tf);
  expect(() => loadTensorFlow(convolutional)).toThrow(
    "[CONFIG] TensorFlow needs TF_ENABLE_ONEDNN_OPTS=1 from its start, and this process has TF_ENABLE_ONEDNN_OPTS=0.",
  );
});
