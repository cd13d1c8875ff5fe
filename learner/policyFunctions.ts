import { traitsOf } from "../shared/algorithms.ts";
import { distributionRows, distributionWidth } from "./distribution.ts";
import { forward } from "./network.ts";
import { observationInput, type PolicyFunction } from "./policyFunction.ts";
import { tensorflow } from "./tensorflow.ts";
import { fisherProduct, surrogateFunction, surrogateGradient } from "./trustRegionFunctions.ts";
import type { PolicyFunctionName, UpdateSettings } from "./update.ts";

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

const policyFunctions: Readonly<Record<PolicyFunctionName, PolicyFunction>> = {
  policy,
  surrogate: surrogateFunction,
  surrogateGradient,
  fisherProduct,
};

/** The functions that this run may call. */
export function policyFunctionsOf({ algo }: UpdateSettings): [PolicyFunctionName, PolicyFunction][] {
  const all = Object.entries(policyFunctions) as [PolicyFunctionName, PolicyFunction][];
  return traitsOf(algo).policyStep === "trustRegion" ? all : all.filter(([name]) => name === "policy");
}

export function policyFunction(name: PolicyFunctionName): PolicyFunction {
  return policyFunctions[name];
}
