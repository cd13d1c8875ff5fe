import {
  type Activation,
  inputShape,
  type Layer,
  type NetworkSpec,
  parameterSpecs,
} from "../../learner/networkSpec.ts";
import type { ObjectiveSettings, SampleTensors } from "../../learner/objectives/objective.ts";
import type { Tensor, TensorFlow } from "../../learner/tensorflow.ts";
import type { Minibatch, ParameterArrays, UpdateSettings } from "../../learner/update.ts";
import { normalFrom, philox, stream, uniformFrom } from "../../shared/seeds.ts";

/** Deterministic uniform and normal numbers. */
export function numberSource(seed: number): { uniform(): number; normal(): number } {
  const words = new Uint32Array(4);
  let block = 0;
  const uniform = (): number => {
    philox(BigInt(seed), block++, 0, 0, stream.evaluation, words);
    return uniformFrom(words[0]!, words[1]!);
  };
  return { uniform, normal: () => normalFrom(uniform(), uniform()) };
}

const dense = (units: number, activation: "tanh" | "relu" | "none") =>
  ({ kind: "dense", units, activation, gain: 1 }) as const;
const conv = (filters: number, kernel: number, stride: number) =>
  ({ kind: "conv", filters, kernel, stride, activation: "relu", gain: 1 }) as const;

/** Actor and critic apart, as on MuJoCo. */
export function gaussianNetwork(observation: number, hidden: readonly number[], actions: number): NetworkSpec {
  const layers = hidden.map((units) => dense(units, "tanh"));
  return {
    input: { shape: [observation], frames: false, normalize: { clip: 10 } },
    trunk: [],
    actor: [...layers, dense(actions, "none")],
    critic: [...layers, dense(1, "none")],
    distribution: { kind: "gaussian", actions, logStd: 0 },
  };
}

/** A shared trunk of dense layers. */
export function categoricalNetwork(observation: number, hidden: readonly number[], actions: number): NetworkSpec {
  return {
    input: { shape: [observation], frames: false, normalize: { clip: 10 } },
    trunk: hidden.map((units) => dense(units, "relu")),
    actor: [dense(actions, "none")],
    critic: [dense(1, "none")],
    distribution: { kind: "categorical", actions },
  };
}

/** The Nature CNN, or a small one of the same build. */
export function frameNetwork(size: "small" | "nature", actions: number): NetworkSpec {
  const trunk =
    size === "nature"
      ? [conv(32, 8, 4), conv(64, 4, 2), conv(64, 3, 1), dense(512, "relu")]
      : [conv(8, 4, 2), conv(8, 3, 2), dense(16, "relu")];
  return {
    input: { shape: size === "nature" ? [4, 84, 84] : [2, 20, 16], frames: true, normalize: null },
    trunk,
    actor: [dense(actions, "none")],
    critic: [dense(1, "none")],
    distribution: { kind: "categorical", actions },
  };
}

/** The same with a CNN for each of actor and critic, and no trunk. */
export function separateFrameNetwork(size: "small" | "nature", actions: number): NetworkSpec {
  const shared = frameNetwork(size, actions);
  const { trunk, actor, critic } = shared;
  return { ...shared, trunk: [], actor: [...trunk, ...actor], critic: [...trunk, ...critic] };
}

/** A network whose hidden layers all have this activation. */
export function withActivation(network: NetworkSpec, activation: Activation): NetworkSpec {
  const changed = (layers: readonly Layer[]): Layer[] =>
    layers.map((layer) => (layer.activation === "none" ? layer : { ...layer, activation }));
  const { trunk, actor, critic } = network;
  return { ...network, trunk: changed(trunk), actor: changed(actor), critic: changed(critic) };
}

export function updateSettings(
  network: NetworkSpec,
  minibatchSize: number,
  changes: Partial<UpdateSettings> = {},
): UpdateSettings {
  return {
    network,
    minibatchSize,
    algo: "ano",
    ...objectiveSettings,
    entropyCoef: 0.01,
    valueCoef: 0.5,
    valueClip: 0.3,
    maxGradNorm: 0.5,
    adamBeta1: 0.9,
    adamBeta2: 0.999,
    adamEps: 1e-5,
    normalizeAdvantages: true,
    threads: 1,
    onednn: "auto",
    device: "auto",
    ...changes,
  };
}

/** What objectives read of the run's settings. */
export const objectiveSettings: ObjectiveSettings = {
  epsPos: 0.3,
  epsNeg: 0.2,
  clip: 0.2,
  gamma: 0.99,
  omega1: 0.005,
  omega2: 0.005,
  papoK: 7,
  referenceKlCoef: 0.04,
  objectiveOptions: {},
};

/** Samples at these ratios (given as r - 1), whose values are 0 unless `more` says otherwise. */
export function samplesAt(
  tf: TensorFlow,
  excess: Tensor,
  advantages: Tensor,
  more: Partial<SampleTensors> = {},
): SampleTensors {
  const logRatio = tf.log1p(excess);
  const approxKl = tf.mean(tf.sub(excess, logRatio));
  return { excess, logRatio, logProb: logRatio, advantages, values: tf.zerosLike(excess), approxKl, ...more };
}

/** Weights normal with std gain / sqrt(fan in), small biases. */
export function parametersOf(network: NetworkSpec, seed: number): ParameterArrays {
  const { normal } = numberSource(seed);
  const entries = parameterSpecs(network).map(({ name, shape }) => {
    const fanIn = shape.length === 1 ? 100 : shape.slice(0, -1).reduce((a, b) => a * b, 1);
    const length = shape.reduce((a, b) => a * b, 1);
    return [name, Float32Array.from({ length }, () => normal() / Math.sqrt(fanIn))] as const;
  });
  return Object.fromEntries(entries);
}

/** Samples whose ratios under parametersOf lie around 1. */
export function minibatchOf(network: NetworkSpec, size: number, seed: number): Minibatch {
  const { uniform, normal } = numberSource(seed);
  const { distribution } = network;
  const inputs = size * inputShape(network).reduce((a, b) => a * b, 1);
  const column = (of: (_: unknown, i: number) => number): Float32Array => Float32Array.from({ length: size }, of);
  const actionsEach = distribution.kind === "categorical" ? 1 : distribution.actions;
  const actions =
    distribution.kind === "categorical"
      ? Int32Array.from({ length: size }, () => Math.floor(distribution.actions * uniform()))
      : Float32Array.from({ length: size * distribution.actions }, normal);
  /** Of a uniform, or a standard normal policy. */
  const logProb = (sample: ArrayLike<number>): number =>
    distribution.kind === "categorical"
      ? -Math.log(distribution.actions)
      : Array.from(sample).reduce((sum, a) => sum - 0.5 * (a * a + Math.log(2 * Math.PI)), 0);
  return {
    observations: network.input.frames
      ? Uint8Array.from({ length: inputs }, () => Math.floor(256 * uniform()))
      : Float32Array.from({ length: inputs }, normal),
    actions,
    logProbs: column((_, i) => logProb(actions.subarray(i * actionsEach, (i + 1) * actionsEach)) + 0.1 * normal()),
    advantages: column(normal),
    returns: column(normal),
    values: column(() => 0.3 * normal()),
  };
}
