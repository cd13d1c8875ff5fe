import type { StepMetrics } from "./update.ts";

/**
 * The metrics of an update: means over its minibatches, the ratio's extremes over all of them, and how far the first
 * minibatch's ratios are from 1: the policy that acted must be the one that begins to learn.
 */
export class UpdateMetrics {
  readonly #sums = {
    policy_loss: 0,
    value_loss: 0,
    loss: 0,
    entropy: 0,
    approx_kl: 0,
    clip_fraction: 0,
    gradient_norm: 0,
  };
  #ratioMin = Number.POSITIVE_INFINITY;
  #ratioMax = Number.NEGATIVE_INFINITY;
  #ratioStartError = Number.NaN;
  #steps = 0;

  add(step: StepMetrics): void {
    const sums = this.#sums;
    sums.policy_loss += step.policyLoss;
    sums.value_loss += step.valueLoss;
    sums.loss += step.loss;
    sums.entropy += step.entropy;
    sums.approx_kl += step.approxKl;
    sums.clip_fraction += step.clipFraction;
    sums.gradient_norm += step.gradientNorm;
    if (this.#steps === 0) this.#ratioStartError = Math.max(step.ratioMax - 1, 1 - step.ratioMin);
    this.#ratioMin = Math.min(this.#ratioMin, step.ratioMin);
    this.#ratioMax = Math.max(this.#ratioMax, step.ratioMax);
    this.#steps += 1;
  }

  summary(): Record<string, number> {
    const means = Object.entries(this.#sums).map(([name, sum]) => [name, sum / this.#steps] as const);
    const ratio = { ratio_min: this.#ratioMin, ratio_max: this.#ratioMax, ratio_start_error: this.#ratioStartError };
    return { ...Object.fromEntries(means), ...ratio };
  }
}

/** 1 − Var(returns − values) / Var(returns) of a round; 0 where all returns are equal: there is nothing to explain. */
export function explainedVariance(values: Float32Array, returns: Float32Array): number {
  const residuals = Float64Array.from(returns, (target, i) => target - values[i]!);
  const spread = variance(returns);
  return spread === 0 ? 0 : 1 - variance(residuals) / spread;
}

function variance(x: Float32Array | Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]!;
  const mean = sum / x.length;
  let squares = 0;
  for (let i = 0; i < x.length; i++) squares += (x[i]! - mean) ** 2;
  return squares / x.length;
}

/** @param versions of the policies that acted in this round, by column */
export function meanLag(round: number, versions: Int32Array): number {
  return versions.reduce((sum, version) => sum + round - version, 0) / versions.length;
}
