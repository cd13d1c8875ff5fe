import { sumOfSquares } from "./layers.ts";
import { type LossTerms, type MinibatchTensors, minibatchLoss, trainsCriticOnly } from "./loss.ts";
import { forward, type ParameterTensors } from "./network.ts";
import { parameterSpecs } from "./networkSpec.ts";
import { type Tensor, tensorflow } from "./tensorflow.ts";
import type { StepMetrics, UpdateSettings } from "./update.ts";

/** The order of the numbers that `minibatchGradient` gives as metrics. */
export const metricOrder = [
  "loss",
  "policyLoss",
  "valueLoss",
  "entropy",
  "approxKl",
  "clipFraction",
  "gradientNorm",
  "ratioMin",
  "ratioMax",
] as const satisfies readonly (keyof StepMetrics)[];

/** The metrics by name, from their numbers in that order. */
export function stepMetrics(numbers: Float32Array): StepMetrics {
  const entries = metricOrder.map((name, i) => [name, numbers[i]!] as const);
  return Object.fromEntries(entries) as unknown as StepMetrics;
}

/**
 * Loss and gradients of one minibatch, in ordinary tfjs: run as they stand by EagerUpdate, traced once into a graph by
 * CompiledUpdate. Gradients are in the order of parameterSpecs and scaled by min(1, maxGradNorm / (norm + 1e-6)), as
 * PyTorch's clip_grad_norm_ does. `metrics` [9] in metricOrder.
 */
export function minibatchGradient(
  settings: UpdateSettings,
  parameters: ParameterTensors,
  batch: MinibatchTensors,
): { metrics: Tensor; gradients: Tensor[] } {
  const tf = tensorflow();
  const specs = parameterSpecs(settings.network);
  const trained = specs.filter(({ name }) => !trainsCriticOnly(settings) || name.startsWith("critic."));
  const names = trained.map((spec) => spec.name);
  let terms: LossTerms | null = null;
  const loss = (...values: Tensor[]): Tensor => {
    const learned = Object.fromEntries(names.map((name, i) => [name, values[i]!]));
    const given = { ...parameters, ...learned };
    const output = { ...forward(settings.network, given, batch.observations), logStd: given["actor.log_std"] ?? null };
    terms = minibatchLoss(tf, settings, output, batch);
    for (const term of Object.values<Tensor>({ ...terms })) tf.keep(term); // they outlive the tidy around the gradients
    return terms.loss;
  };
  const { value, grads } = tf.valueAndGrads(loss)(names.map((name) => parameters[name]!));
  const kept = terms as unknown as LossTerms;
  const gradientNorm = tf.sqrt(tf.addN(grads.map(sumOfSquares)));
  const scale = tf.minimum(1, tf.div(settings.maxGradNorm, tf.add(gradientNorm, 1e-6)));
  const numbers: Record<keyof StepMetrics, Tensor> = { ...kept, loss: value, gradientNorm };
  const metrics = tf.stack(metricOrder.map((name) => numbers[name]));
  for (const term of Object.values<Tensor>({ ...kept })) term.dispose();
  const gradients = new Map(grads.map((gradient, i) => [names[i]!, tf.mul(gradient, scale)]));
  return { metrics, gradients: specs.map(({ name }) => gradients.get(name) ?? tf.zerosLike(parameters[name]!)) };
}
