import { distributionTerms, distributionWidth, klFrom, type PolicyTensors } from "./distribution.ts";
import { clampedLogRatio } from "./loss.ts";
import { forward, type ParameterTensors } from "./network.ts";
import { type NetworkSpec, type ParameterSpec, parameterSpecs } from "./networkSpec.ts";
import { type FunctionInput, observationInput, type PolicyFunction } from "./policyFunction.ts";
import { headTangent } from "./tangent.ts";
import { type Tensor, tensorflow } from "./tensorflow.ts";
import type { UpdateSettings } from "./update.ts";

/** The parameters of the policy: all but the critic's own. A shared trunk is the policy's. */
export function policyParameterSpecs(network: NetworkSpec): ParameterSpec[] {
  return parameterSpecs(network).filter(({ name }) => !name.startsWith("critic."));
}

/** The order of `surrogate`'s numbers. */
export const surrogateNumbers = ["surrogate", "kl", "entropy", "approxKl", "ratioMin", "ratioMax"] as const;
export type SurrogateNumbers = Record<(typeof surrogateNumbers)[number], number>;

function sampleInputs(settings: UpdateSettings): FunctionInput[] {
  const { minibatchSize: size, network } = settings;
  const { kind, actions } = network.distribution;
  const column = (name: string): FunctionInput => ({ name, shape: [size], dtype: "float32" });
  return [
    observationInput(settings),
    kind === "categorical"
      ? { name: "actions", shape: [size], dtype: "int32" }
      : { name: "actions", shape: [size, actions], dtype: "float32" },
    column("logProbs"),
    column("advantages"),
    { name: "oldPolicy", shape: [size, distributionWidth(network.distribution)], dtype: "float32" },
  ];
}

type Inputs = Readonly<Record<string, Tensor>>;

function policyOf(network: NetworkSpec, parameters: ParameterTensors, observations: Tensor): PolicyTensors {
  return { policy: forward(network, parameters, observations).policy, logStd: parameters["actor.log_std"] ?? null };
}

/** mean(r A), with what else is to be known of the policy on these samples. */
function surrogateTerms(
  { network }: UpdateSettings,
  parameters: ParameterTensors,
  inputs: Inputs,
): Record<string, Tensor> {
  const tf = tensorflow();
  const now = policyOf(network, parameters, inputs.observations!);
  const { logProb, entropy } = distributionTerms(tf, network.distribution, now, inputs.actions!);
  const logRatio = clampedLogRatio(tf, tf.sub(logProb, inputs.logProbs!));
  const excess = tf.expm1(logRatio);
  return {
    surrogate: tf.mean(tf.mul(tf.add(1, excess), inputs.advantages!)),
    kl: tf.mean(klFrom(tf, network.distribution, inputs.oldPolicy!, now)),
    entropy,
    approxKl: tf.mean(tf.sub(excess, logRatio)),
    ratioMin: tf.add(1, tf.min(excess)),
    ratioMax: tf.add(1, tf.max(excess)),
  };
}

/** `numbers` [6], in the order of surrogateNumbers: means over the samples, and the ratio's extremes. */
export const surrogateFunction: PolicyFunction = {
  inputs: sampleInputs,
  outputs: () => [{ name: "numbers", shape: [surrogateNumbers.length] }],
  compute(settings, parameters, inputs) {
    const terms = surrogateTerms(settings, parameters, inputs);
    return { numbers: tensorflow().stack(surrogateNumbers.map((name) => terms[name]!.asScalar())) };
  },
};

/** The gradient of mean(r A), by name of the policy's parameters. */
export const surrogateGradient: PolicyFunction = {
  inputs: sampleInputs,
  outputs: ({ network }) => policyParameterSpecs(network),
  compute: (settings, parameters, inputs) =>
    gradients(settings.network, parameters, (given) => surrogateTerms(settings, given, inputs).surrogate!),
};

/**
 * F v, by name of the policy's parameters: F is the Fisher matrix, which is the Hessian of the mean KL(pi_old || pi) at
 * pi_old (Schulman et al. 2015, arXiv:1502.05477, appendix C). F = J^T M J with J the derivative of the distribution's
 * parameters and M their own Fisher matrix: diag(p) - p p^T of logits; 1 / sigma^2 of means and 2 of log standard
 * deviations. J v is forward mode (tangent.ts), J^T reverse mode.
 */
export const fisherProduct: PolicyFunction = {
  inputs: (settings) => [
    observationInput(settings),
    ...policyParameterSpecs(settings.network).map(
      ({ name, shape }): FunctionInput => ({ name, shape, dtype: "float32" }),
    ),
  ],
  outputs: ({ network }) => policyParameterSpecs(network),
  compute({ network, minibatchSize }, parameters, { observations, ...directions }) {
    const tf = tensorflow();
    const { y, moved } = headTangent(network, parameters, directions, observations!);
    const logStd = parameters["actor.log_std"];
    const weighted = logStd ? tf.mul(moved, tf.exp(tf.mul(-2, logStd))) : categoricalFisher(y, moved);
    const pulledBack = gradients(network, parameters, (given) => {
      const alongHead = tf.div(tf.sum(tf.mul(policyOf(network, given, observations!).policy, weighted)), minibatchSize);
      if (!logStd) return alongHead;
      return tf.add(alongHead, tf.sum(tf.mul(given["actor.log_std"]!, tf.mul(2, directions["actor.log_std"]!))));
    });
    return pulledBack;
  },
};

/** (diag(p) - p p^T) u of each sample, with p the softmax of the logits. */
function categoricalFisher(logits: Tensor, u: Tensor): Tensor {
  const tf = tensorflow();
  const p = tf.softmax(logits as Parameters<typeof tf.softmax>[0]);
  return tf.mul(p, tf.sub(u, tf.sum(tf.mul(p, u), 1, true)));
}

/** The gradient of `of` with respect to the policy's parameters, by name. */
function gradients(
  network: NetworkSpec,
  parameters: ParameterTensors,
  of: (parameters: ParameterTensors) => Tensor,
): Record<string, Tensor> {
  const tf = tensorflow();
  const names = policyParameterSpecs(network).map(({ name }) => name);
  const scalar = (...values: Tensor[]): Tensor =>
    of({ ...parameters, ...Object.fromEntries(names.map((name, i) => [name, values[i]!])) }).asScalar();
  const found = tf.grads(scalar)(names.map((name) => parameters[name]!));
  return Object.fromEntries(names.map((name, i) => [name, found[i]!]));
}
