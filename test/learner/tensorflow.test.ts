import { expect, it } from "vitest";
import { loadTensorFlow, tensorflowEnvironment } from "../../learner/tensorflow.ts";
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

it("keeps to the settings that a process began with, and says so", () => {
  const tf = loadTensorFlow(dense);
  expect(loadTensorFlow(dense)).toBe(tf);
  expect(() => loadTensorFlow(convolutional)).toThrow(
    "[CONFIG] TensorFlow needs TF_ENABLE_ONEDNN_OPTS=1 from its start, and this process has TF_ENABLE_ONEDNN_OPTS=0.",
  );
});
