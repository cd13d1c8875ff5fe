import type { InputSpec } from "./minibatchInputs.ts";
import type { ParameterTensors } from "./network.ts";
import { inputShape } from "./networkSpec.ts";
import type { Tensor } from "./tensorflow.ts";
import type { UpdateSettings } from "./update.ts";

export interface FunctionInput extends Omit<InputSpec, "name"> {
  readonly name: string;
}
export interface FunctionOutput {
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * A function of the present weights and of M samples that changes nothing. Ordinary tfjs: EagerUpdate runs it as it
 * stands, CompiledUpdate traces it once into the graph of the update.
 */
export interface PolicyFunction {
  inputs(settings: UpdateSettings): FunctionInput[];
  outputs(settings: UpdateSettings): FunctionOutput[];
  compute(
    settings: UpdateSettings,
    parameters: ParameterTensors,
    inputs: Readonly<Record<string, Tensor>>,
  ): Readonly<Record<string, Tensor>>;
}

export function observationInput({ network, minibatchSize }: UpdateSettings): FunctionInput {
  const dtype = network.input.frames ? "uint8" : "float32";
  return { name: "observations", shape: [minibatchSize, ...inputShape(network)], dtype };
}
