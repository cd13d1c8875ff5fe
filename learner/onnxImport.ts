import { OperatorError } from "../shared/errors.ts";
import type { Layer, NetworkSpec } from "./networkSpec.ts";
import { type Model, observationCount } from "./onnxModel.ts";
import type { Moments } from "./runningMoments.ts";
import type { ParameterArrays } from "./update.ts";
import { inFilterOrder, inPlaneOrder, times } from "./weightLayout.ts";

/**
 * The parameters of a policy that exportPolicy wrote for a network like this one, in the learner's layouts: the way back
 * from onnxExport.ts. Exact but for the first layer of frames, where x / 255 was multiplied into the weights: within a
 * rounding of float32.
 */
export function importedParameters(model: Model, network: NetworkSpec): ParameterArrays {
  const arrays = new Map(model.initializers.map(({ name, data }) => [name, data as Float32Array]));
  const parameters: ParameterArrays = {};
  const { shape, frames } = network.input;
  const observed: Signal = frames ? { planes: shape[0]!, scale: 1 / Math.fround(1 / 255) } : { planes: 1, scale: 1 };
  const read = (part: string, layers: readonly Layer[], input: Signal): Signal =>
    layers.reduce(({ planes, scale }: Signal, layer, i): Signal => {
      const name = `${part}.${i}`;
      const given = arrays.get(`${name}.weight`)!;
      const laidOut = layer.kind === "conv" ? tapOrder(given, layer, planes) : pixelOrder(given, layer.units, planes);
      parameters[`${name}.weight`] = times(laidOut, scale);
      parameters[`${name}.bias`] = arrays.get(`${name}.bias`)!;
      return { planes: layer.kind === "conv" ? layer.filters : 1, scale: 1 };
    }, input);
  const trunk = read("trunk", network.trunk, observed);
  read("actor", network.actor, trunk);
  read("critic", network.critic, trunk);
  if (network.distribution.kind === "gaussian") parameters["actor.log_std"] = arrays.get("actor.log_std")!;
  return parameters;
}

interface Signal {
  readonly planes: number; // 1 where it is flat
  readonly scale: number; // that the export divided the next weights by
}

/** [filters, channels, K * K] as [K * K, channels, filters]: reversing the order of three axes undoes itself. */
function tapOrder(weights: Float32Array, { filters, kernel }: Extract<Layer, { kind: "conv" }>, channels: number) {
  return inFilterOrder(weights, filters * channels, kernel * kernel, channels);
}

/** Rows ordered (plane, pixel) as rows ordered (pixel, plane). */
function pixelOrder(weights: Float32Array, units: number, planes: number): Float32Array {
  return planes === 1 ? weights : inPlaneOrder(weights, weights.length / units / planes, planes, units);
}

/** The observation statistics in a policy that normalises. Throws CONFIG where it does not say of how many observations. */
export function importedNormaliser(model: Model, file: string): Moments {
  const count = Number(model.metadata[observationCount]);
  if (!(count > 0))
    throw new OperatorError(
      "CONFIG",
      `initFrom: ${file} does not say how many observations its statistics are of (${observationCount}).`,
      "An earlier build wrote it: give a checkpoint of that run.",
    );
  const array = (name: string): Float64Array =>
    Float64Array.from(model.initializers.find((each) => each.name === `observations.${name}`)!.data as Float32Array);
  return { count, mean: array("mean"), variance: array("std").map((std) => Math.max(0, std * std - 1e-8)) };
}
