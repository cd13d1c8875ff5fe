import { OperatorError } from "../shared/errors.ts";
import type { StepMetrics } from "./update.ts";

/** A step whose loss or gradient norm is NaN or infinite, and which was therefore not taken. */
export function notFiniteError(metrics: StepMetrics, stepsTaken: number): OperatorError {
  const { loss, policyLoss, valueLoss, gradientNorm, ratioMin, ratioMax } = metrics;
  return new OperatorError(
    "NUMERIC",
    `Minibatch step ${stepsTaken + 1} has loss ${loss} (policy ${policyLoss}, value ${valueLoss}), gradient norm ${gradientNorm} and ratios from ${ratioMin} to ${ratioMax}; it was not applied.`,
    "Look for NaN in the environment's rewards and observations, or lower learningRate; the weights are those before the step.",
  );
}

/** Whether a step may be applied. */
export function isFiniteStep(metrics: StepMetrics): boolean {
  return Number.isFinite(metrics.loss) && Number.isFinite(metrics.gradientNorm);
}
