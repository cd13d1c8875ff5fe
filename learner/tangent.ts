import { type Moving, movingLayer } from "./layers.ts";
import type { ParameterTensors } from "./network.ts";
import type { Layer, NetworkSpec } from "./networkSpec.ts";
import { type Tensor, tensorflow } from "./tensorflow.ts";

type Input = { readonly y: Tensor; readonly moved: Tensor | null };

/**
 * How the actor's head [M, A] moves when the parameters move along `directions` (J v, forward mode): `moved`, and the
 * head itself, `y`. The same layers as network.ts.
 */
export function headTangent(
  network: NetworkSpec,
  parameters: ParameterTensors,
  directions: ParameterTensors,
  observations: Tensor,
): Moving {
  const scale = network.input.frames ? 1 / 255 : 1;
  const trunk = movingStack("trunk", network.trunk, parameters, directions, { y: observations, moved: null }, scale);
  const first = network.trunk.length === 0 ? scale : 1;
  return movingStack("actor", network.actor, parameters, directions, trunk, first) as Moving; // it has at least one layer
}

function movingStack(
  part: string,
  layers: readonly Layer[],
  parameters: ParameterTensors,
  directions: ParameterTensors,
  input: Input,
  inputScale: number,
): Input {
  const tf = tensorflow();
  return layers.reduce((x, layer, i): Input => {
    const scaled = (tensor: Tensor): Tensor => (i === 0 && inputScale !== 1 ? tf.mul(tensor, inputScale) : tensor);
    const of = (tensors: ParameterTensors): [Tensor, Tensor] => [
      scaled(tensors[`${part}.${i}.weight`]!),
      tensors[`${part}.${i}.bias`]!,
    ];
    const signal = layer.kind === "conv" ? x : { y: flat(x.y), moved: x.moved && flat(x.moved) };
    const stride = layer.kind === "conv" ? layer.stride : null;
    return movingLayer(signal, of(parameters), of(directions), stride, layer.activation);
  }, input);
}

function flat(x: Tensor): Tensor {
  const samples = x.shape[0]!;
  return x.rank === 2 ? x : tensorflow().reshape(x, [samples, x.size / samples]);
}
