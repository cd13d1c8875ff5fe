import type { RunConfig } from "../../shared/runConfig.ts";
import type { Tensor, TensorFlow } from "../tensorflow.ts";

/** The fields of RunConfig that some objective reads. */
export type ObjectiveSettings = Readonly<Pick<RunConfig, "epsPos" | "epsNeg" | "clip">>;

/** A policy objective: what to maximise, per sample, and the neighbourhood in which it trusts the sample. */
export interface Objective {
  /**
   * The objective of each sample, [M], to be maximised in its mean.
   * @param excess r - 1 with r = pi_new(a|s) / pi_old(a|s), [M]; the log-ratio was clamped to ±20, so it is finite
   * @param advantages [M], normalised if the run normalises them; no gradient flows through them
   */
  perSample(tf: TensorFlow, excess: Tensor, advantages: Tensor, settings: ObjectiveSettings): Tensor;
  /** Half-width of the neighbourhood of r = 1 for each sample, [M] or a scalar: what the clip fraction counts. */
  halfWidth(tf: TensorFlow, advantages: Tensor, settings: ObjectiveSettings): Tensor;
}
