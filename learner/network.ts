import { convolution, dense, type LayerInput } from "./layers.ts";
import type { Layer, NetworkSpec } from "./networkSpec.ts";
import { type Tensor, tensorflow } from "./tensorflow.ts";

/** Parameters by ParameterSpec name. */
export type ParameterTensors = Readonly<Record<string, Tensor>>;

/**
 * The network's outputs as a differentiable function of its parameters: policy [M, A] logits or means, value [M].
 * @param observations float32 [M, ...input]: normalised, or frames as 0..255, channels last. No gradient flows to them.
 */
export function forward(
  network: NetworkSpec,
  parameters: ParameterTensors,
  observations: Tensor,
): { policy: Tensor; value: Tensor } {
  // x / 255 is folded into the first layer's weights: a pass over a few thousand weights instead of every pixel.
  const inputScale = network.input.frames ? 1 / 255 : 1;
  const trunk = stack("trunk", network.trunk, parameters, { x: observations, scale: inputScale, isObservation: true });
  const policy = stack("actor", network.actor, parameters, trunk).x;
  const value = stack("critic", network.critic, parameters, trunk).x;
  return { policy, value: tensorflow().reshape(value, [observations.shape[0]!]) };
}

interface Signal extends LayerInput {
  readonly scale: number; // still to be multiplied into x
}

function stack(part: string, layers: readonly Layer[], parameters: ParameterTensors, signal: Signal): Signal {
  const tf = tensorflow();
  return layers.reduce(({ x, scale, isObservation }, layer, i): Signal => {
    const given = parameters[`${part}.${i}.weight`]!;
    const weight = scale === 1 ? given : tf.mul(given, scale);
    const bias = parameters[`${part}.${i}.bias`]!;
    const y =
      layer.kind === "conv"
        ? convolution({ x, isObservation }, weight, bias, layer.stride, layer.activation)
        : dense({ x: flat(x), isObservation }, weight, bias, layer.activation);
    return { x: y, scale: 1, isObservation: false };
  }, signal);
}

function flat(x: Tensor): Tensor {
  const samples = x.shape[0]!;
  return x.rank === 2 ? x : tensorflow().reshape(x, [samples, x.size / samples]);
}
