import type { EnvironmentSpec } from "../shared/environment.ts";
import { OperatorError } from "../shared/errors.ts";
import type { RunConfig } from "../shared/runConfig.ts";

export type Activation = RunConfig["network"]["activation"] | "none";

interface AnyLayer {
  readonly activation: Activation;
  readonly gain: number | null; // of the orthogonal initialisation; null: uniform, as PyTorch's layers begin
}
/** Convolutions are "valid", square, NHWC. */
export type Layer =
  | (AnyLayer & { readonly kind: "dense"; readonly units: number })
  | (AnyLayer & {
      readonly kind: "conv";
      readonly filters: number;
      readonly kernel: number;
      readonly stride: number;
    });

/** What the actor's last layer parametrises. Gaussian: the layer is the mean; log_std is a free parameter [A]. */
export type Distribution =
  | { readonly kind: "categorical"; readonly actions: number }
  | { readonly kind: "gaussian"; readonly actions: number; readonly logStd: number };

/**
 * A network as a short list of layers, from which the tfjs forward pass (network.ts) and the ONNX graph (onnxExport.ts)
 * are both made: observation -> trunk -> actor head and critic head.
 */
export interface NetworkSpec {
  readonly input: {
    readonly shape: readonly number[]; // as the environment gives it; stacks are [S, H, W] and become NHWC [H, W, S]
    readonly frames: boolean; // uint8 stacked frames, scaled by 1/255
    readonly normalize: { readonly clip: number } | null; // (x - mean) / sqrt(var + 1e-8), clipped
  };
  readonly trunk: readonly Layer[];
  readonly actor: readonly Layer[];
  readonly critic: readonly Layer[];
  readonly distribution: Distribution;
}

/** The network of a run (ALGORITHMS, Protocols). Throws CONFIG where the network does not fit the environment. */
export function networkSpec(config: RunConfig, spec: EnvironmentSpec): NetworkSpec {
  const { network } = config;
  const frames = spec.observation.dtype === "uint8" && spec.observation.frameStack !== null;
  const distribution: Distribution =
    spec.action.kind === "discrete"
      ? { kind: "categorical", actions: spec.action.count }
      : { kind: "gaussian", actions: spec.action.low.length, logStd: network.kind === "mlp" ? network.logStd : 0 };
  const head = (units: number, gain: number): Layer => ({
    kind: "dense",
    units,
    activation: "none",
    gain: config.orthogonalInit ? gain : null,
  });
  const input = {
    shape: spec.observation.shape,
    frames,
    normalize: config.normalizeObservations && !frames ? { clip: config.observationClip } : null,
  };
  checkFits(network, spec, frames);
  const hidden = hiddenLayers(config);
  const [trunk, own] = network.shared ? [hidden, []] : [[], hidden];
  const actor = [...own, head(distribution.actions, config.actorGain)];
  const critic = [...own, head(1, config.criticGain)];
  return { input, trunk, actor, critic, distribution };
}

function checkFits(network: RunConfig["network"], { id, observation }: EnvironmentSpec, frames: boolean): void {
  if (network.kind === "mlp" && frames)
    throw new OperatorError(
      "CONFIG",
      `network.kind=mlp does not fit ${id}, which observes stacked frames.`,
      "Set network.kind=nature.",
    );
  if (network.kind === "nature" && !frames)
    throw new OperatorError(
      "CONFIG",
      `network.kind=nature needs stacked uint8 frames, and ${id} observes ${observation.dtype} [${observation.shape.join(", ")}].`,
      "Set network.kind=mlp.",
    );
}

/** All but the heads: Mnih et al. 2015 for frames, else dense layers. */
function hiddenLayers({ network, orthogonalInit, hiddenGain }: RunConfig): Layer[] {
  const { activation } = network;
  const gain = orthogonalInit ? hiddenGain : null;
  const dense = (units: number): Layer => ({ kind: "dense", units, activation, gain });
  if (network.kind === "mlp") return network.hidden.map(dense);
  const conv = (filters: number, kernel: number, stride: number): Layer => ({
    kind: "conv",
    filters,
    kernel,
    stride,
    activation,
    gain,
  });
  return [conv(32, 8, 4), conv(64, 4, 2), conv(64, 3, 1), dense(network.units)];
}

export interface ParameterSpec {
  readonly name: string; // trunk.0.weight, trunk.0.bias, actor.2.weight, ..., actor.log_std
  readonly shape: readonly number[]; // dense [in, out]; conv [kernel, kernel, in, filters]; bias [out]
  readonly initial:
    | { readonly kind: "orthogonal"; readonly gain: number }
    | { readonly kind: "uniform"; readonly bound: number } // in [-bound, bound)
    | { readonly kind: "constant"; readonly value: number };
}

/**
 * Every parameter in the documented order: trunk, actor, critic; within a part by layer, weight before bias; last
 * actor.log_std. weightsSha256 hashes their float32 little-endian bytes in this order.
 */
export function parameterSpecs(network: NetworkSpec): ParameterSpec[] {
  const specs: ParameterSpec[] = [];
  const append = (part: string, layers: readonly Layer[], input: readonly number[]): readonly number[] => {
    let shape = input;
    layers.forEach((layer, i) => {
      const weight = layerWeightShape(layer, shape);
      const initial = initialOf(layer, weight);
      specs.push({ name: `${part}.${i}.weight`, shape: weight, initial: initial.weight });
      specs.push({ name: `${part}.${i}.bias`, shape: [weight.at(-1)!], initial: initial.bias });
      shape = layerOutputShape(layer, shape);
    });
    return shape;
  };
  const trunkOut = append("trunk", network.trunk, inputShape(network));
  append("actor", network.actor, trunkOut);
  append("critic", network.critic, trunkOut);
  if (network.distribution.kind === "gaussian") {
    const { actions, logStd } = network.distribution;
    specs.push({ name: "actor.log_std", shape: [actions], initial: { kind: "constant", value: logStd } });
  }
  return specs;
}

type Initial = ParameterSpec["initial"];

/** PyTorch's layers begin uniform within 1 / sqrt(inputs of a unit), weights and biases alike. */
function initialOf({ gain }: Layer, weight: readonly number[]): { weight: Initial; bias: Initial } {
  if (gain !== null) return { weight: { kind: "orthogonal", gain }, bias: { kind: "constant", value: 0 } };
  const inputs = weight.slice(0, -1).reduce((a, b) => a * b, 1);
  const uniform = { kind: "uniform", bound: 1 / Math.sqrt(inputs) } as const;
  return { weight: uniform, bias: uniform };
}

/** Shape of one sample entering the first layer: frames are channels last. */
export function inputShape(network: NetworkSpec): readonly number[] {
  const { shape, frames } = network.input;
  return frames ? [shape[1]!, shape[2]!, shape[0]!] : [shape.reduce((a, b) => a * b, 1)];
}

function layerWeightShape(layer: Layer, input: readonly number[]): number[] {
  if (layer.kind === "conv") return [layer.kernel, layer.kernel, input[2]!, layer.filters];
  return [input.reduce((a, b) => a * b, 1), layer.units];
}

function layerOutputShape(layer: Layer, input: readonly number[]): readonly number[] {
  if (layer.kind === "dense") return [layer.units];
  const extent = (size: number): number => Math.floor((size - layer.kernel) / layer.stride) + 1;
  return [extent(input[0]!), extent(input[1]!), layer.filters];
}
