import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { initialWeights } from "../../learner/initialWeights.ts";
import { forward } from "../../learner/network.ts";
import type { NetworkSpec } from "../../learner/networkSpec.ts";
import { parameterSpecs } from "../../learner/networkSpec.ts";
import { normaliseRows } from "../../learner/observationStatistics.ts";
import { exportPolicy, type PolicyExport } from "../../learner/onnxExport.ts";
import { loadTensorFlow } from "../../learner/tensorflow.ts";
import type { ParameterArrays } from "../../learner/update.ts";
import type { EnvironmentSpec } from "../../shared/environment.ts";
import {
  categoricalNetwork,
  frameNetwork,
  gaussianNetwork,
  numberSource,
  parametersOf,
  separateFrameNetwork,
  withActivation,
} from "./updateCases.ts";

const tf = loadTensorFlow({ device: "cpu", onednn: "off", threads: 1, network: frameNetwork("nature", 6) });

function specOf({ input, distribution }: NetworkSpec): EnvironmentSpec {
  const { kind, actions } = distribution;
  const bound = Array.from({ length: actions }, () => 1);
  return {
    id: "Test-v0",
    observation: {
      dtype: input.frames ? "uint8" : "float32",
      shape: [...input.shape],
      frameStack: input.frames ? input.shape[0]! : null,
    },
    action:
      kind === "categorical" ? { kind: "discrete", count: actions } : { kind: "continuous", low: bound, high: bound },
    maxEpisodeSteps: null,
    framesPerStep: 1,
  };
}

function policyOf(network: NetworkSpec, parameters: ParameterArrays = parametersOf(network, 5)): PolicyExport {
  const size = network.input.shape.reduce((a, b) => a * b, 1);
  const { uniform, normal } = numberSource(9);
  const normaliser = network.input.normalize && {
    mean: Float32Array.from({ length: size }, () => 20 * normal()),
    std: Float32Array.from({ length: size }, () => 0.1 + 3 * uniform()),
    count: 100,
  };
  return { version: 3, runId: "r1", spec: specOf(network), network, parameters, normaliser };
}

/** Raw observations [E, ...], as an environment gives them. */
function rawObservations({ network, normaliser }: PolicyExport, batch: number): Float32Array | Uint8Array {
  const size = network.input.shape.reduce((a, b) => a * b, 1);
  const { uniform, normal } = numberSource(11);
  if (network.input.frames) return Uint8Array.from({ length: batch * size }, () => Math.floor(256 * uniform()));
  return Float32Array.from({ length: batch * size }, (_, i) => (normaliser?.mean[i % size] ?? 0) + 4 * normal());
}

async function onnxOutputs(policy: PolicyExport, raw: Float32Array | Uint8Array, batch: number) {
  const session = await InferenceSession.create(exportPolicy(policy).bytes, { intraOpNumThreads: 1 });
  const type = raw instanceof Uint8Array ? "uint8" : "float32";
  const outputs = await session.run({ observations: new Tensor(type, raw, [batch, ...policy.network.input.shape]) });
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { data, dims }]) => [name, { data: data as Float32Array, dims }]),
  );
}

/** What the learner computes from the same raw observations. */
function tfjsOutputs({ network, parameters, normaliser }: PolicyExport, raw: Float32Array | Uint8Array, batch: number) {
  const size = raw.length / batch;
  let input: Float32Array = Float32Array.from(raw);
  let shape = [batch, size];
  if (network.input.frames) {
    const [stack, height, width] = network.input.shape as [number, number, number];
    shape = [batch, height, width, stack];
    input = tf.tensor(input, [batch, stack, height, width]).transpose([0, 2, 3, 1]).dataSync() as Float32Array;
  } else if (normaliser) normaliseRows(input.slice(), input, normaliser, network.input.normalize!.clip, 0, batch);
  const tensors = Object.fromEntries(
    parameterSpecs(network).map((p) => [p.name, tf.tensor(parameters[p.name]!, [...p.shape])]),
  );
  const { policy, value } = forward(network, tensors, tf.tensor(input, shape));
  return { policy: policy.dataSync(), value: value.dataSync() };
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}

const unnormalised = { ...gaussianNetwork(17, [32], 6).input, normalize: null };

describe.each<[string, NetworkSpec]>([
  ["separate networks, gaussian", gaussianNetwork(17, [256, 256], 6)],
  ["a shared trunk, categorical", categoricalNetwork(17, [64, 64], 4)],
  [
    "a shared trunk, gaussian",
    { ...categoricalNetwork(17, [64, 64], 4), distribution: { kind: "gaussian", actions: 4, logStd: -1 } },
  ],
  ["a linear policy of observations that are not normalised", { ...gaussianNetwork(17, [], 6), input: unnormalised }],
  [
    "observations of two dimensions",
    { ...gaussianNetwork(12, [16], 2), input: { ...gaussianNetwork(1, [], 2).input, shape: [3, 4] } },
  ],
  ["the Nature CNN", frameNetwork("nature", 6)],
  ["frames that are not square", frameNetwork("small", 3)],
  ["a CNN for each of actor and critic", separateFrameNetwork("nature", 6)],
  ...(["tanh", "relu", "elu", "leakyRelu", "silu"] as const).map((activation): [string, NetworkSpec] => [
    `${activation} layers`,
    withActivation(frameNetwork("small", 3), activation),
  ]),
  [
    "frames with heads on a convolution",
    { ...frameNetwork("small", 3), trunk: frameNetwork("small", 3).trunk.slice(0, 2) },
  ],
])("%s", (_, network) => {
  const policy = policyOf(network);

  it("gives the same numbers through onnxruntime as through tfjs, at any batch size", async () => {
    for (const batch of [1, 5]) {
      const raw = rawObservations(policy, batch);
      const onnx = await onnxOutputs(policy, raw, batch);
      const { policy: want, value } = tfjsOutputs(policy, raw, batch);
      const { kind, actions } = network.distribution;
      const head = onnx[kind === "categorical" ? "logits" : "mean"]!;
      expect(head.dims).toEqual([batch, actions]);
      expect(onnx.value!.dims).toEqual([batch]);
      expect(largestDifference(want, new Float32Array(want.length))).toBeGreaterThan(0.05);
      expect(largestDifference(head.data, want)).toBeLessThan(1e-5);
      expect(largestDifference(onnx.value!.data, value)).toBeLessThan(1e-5);
      if (kind === "gaussian") {
        expect(onnx.log_std!.dims).toEqual([batch, actions]);
        const logStd = policy.parameters["actor.log_std"]!;
        expect([...onnx.log_std!.data]).toEqual(Array.from({ length: batch }, () => [...logStd]).flat());
      }
    }
  });
});

describe("the file", () => {
  const network = gaussianNetwork(3, [4], 2);

  it("is the same for the same numbers, and another for others", () => {
    const weights = initialWeights(network, 1);
    const first = exportPolicy(policyOf(network, weights));
    expect(exportPolicy(policyOf(network, initialWeights(network, 1)))).toEqual(first);
    const changed = { ...weights, "critic.0.bias": Float32Array.of(0, 0, 0, 1e-7) };
    expect(exportPolicy(policyOf(network, changed)).digest).not.toBe(first.digest);
  });

  it("holds no more nodes than the computation needs", async () => {
    // Sub, Div, Clip; actor: Gemm, Tanh, Gemm; log_std: Shape, Expand; critic: Gemm, Tanh, Gemm, Squeeze
    const { bytes } = exportPolicy(policyOf(network));
    const operators = Buffer.from(bytes)
      .toString("latin1")
      .match(/Sub|Div|Clip|Gemm|Tanh|Shape|Expand|Squeeze|Cast|Flatten/g);
    expect(operators).toHaveLength(12);
  });

  it("names a parameter that is missing, and statistics that do not fit", () => {
    const policy = policyOf(network);
    const { "actor.0.weight": _, ...incomplete } = policy.parameters;
    expect(() => exportPolicy({ ...policy, parameters: incomplete })).toThrow(
      "actor.0.weight has 0 elements, expected 12",
    );
    const normaliser = { mean: new Float32Array(2), std: new Float32Array(2), count: 1 };
    expect(() => exportPolicy({ ...policy, normaliser })).toThrow(
      /statistics have 2 dimensions, the network's input 3/,
    );
  });
});
