import { distributionRows, distributionWidth } from "./distribution.ts";
import type { InputSpec } from "./minibatchInputs.ts";
import { forward, type ParameterTensors } from "./network.ts";
import { inputShape } from "./networkSpec.ts";
import { type Tensor, tensorflow } from "./tensorflow.ts";
import type { PolicyFunctionName, UpdateSettings } from "./update.ts";

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

/** The policy of each sample, `rows` [M, W]: logits, or means and log standard deviations side by side. */
const policy: PolicyFunction = {
  inputs: (settings) => [observationInput(settings)],
  outputs: ({ network, minibatchSize }) => [
    { name: "rows", shape: [minibatchSize, distributionWidth(network.distribution)] },
  ],
  compute({ network }, parameters, { observations }) {
    const { policy: head } = forward(network, parameters, observations!);
    const output = { policy: head, logStd: parameters["actor.log_std"] ?? null };
    return { rows: distributionRows(tensorflow(), network.distribution, output) };
  },
};

const policyFunctions: Readonly<Record<PolicyFunctionName, PolicyFunction>> = { policy };

/** The functions that this run may call. */
export function policyFunctionsOf(_settings: UpdateSettings): [PolicyFunctionName, PolicyFunction][] {
  return Object.entries(policyFunctions) as [PolicyFunctionName, PolicyFunction][];
}

export function policyFunction(name: PolicyFunctionName): PolicyFunction {
  return policyFunctions[name];
}
