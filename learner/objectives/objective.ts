import type { RunConfig } from "../../shared/runConfig.ts";
import type { Tensor, TensorFlow } from "../tensorflow.ts";

/** The fields of RunConfig that some objective reads. */
export type ObjectiveSettings = Readonly<
  Pick<
    RunConfig,
    "epsPos" | "epsNeg" | "clip" | "gamma" | "omega1" | "omega2" | "papoK" | "referenceKlCoef" | "objectiveOptions"
  >
>;

/** What an objective may ask for beside the columns that every minibatch has, in the order in which they are fed. */
export const extraInputs = ["klCoef", "oldPolicy", "tdErrors", "referenceLogRatios"] as const;
export type ExtraInput = (typeof extraInputs)[number];

/** A minibatch of M samples as an objective sees it. Gradients flow through excess, logRatio, logProb, klFromOld and referenceLogRatio. */
export interface SampleTensors {
  readonly excess: Tensor; // [M] r - 1 with r = pi_new(a|s) / pi_old(a|s); pi_old is the policy that acted
  readonly logRatio: Tensor; // [M] ln r, clamped to ±20 as in excess, so that both are finite
  readonly logProb: Tensor; // [M] ln pi_new(a|s)
  readonly advantages: Tensor; // [M] normalised if the run normalises them
  readonly values: Tensor; // [M] V(s) of the policy that acted
  readonly approxKl: Tensor; // scalar, mean((r - 1) - ln r)
  readonly klFromOld?: Tensor; // [M] KL(pi_old || pi_new) in s, exact, if `needs` names oldPolicy: pi_old is the policy at the update's start
  readonly klCoef?: Tensor; // scalar, if `needs` names klCoef: its value in this update
  readonly tdErrors?: Tensor; // [M] r + gamma V(s') - V(s), not normalised, if `needs` names tdErrors
  readonly referenceLogRatio?: Tensor; // [M] ln pi_ref(a|s) - ln pi_new(a|s), clamped to ±20, if `needs` names referenceLogRatios
}

/** A policy objective: what to maximise, and the neighbourhood in which it trusts a sample. Pure. */
export interface Objective {
  readonly needs?: readonly ExtraInput[];
  /** The objective of each sample, [M], to be maximised in its mean; or a scalar, where it is not a mean. */
  perSample(tf: TensorFlow, samples: SampleTensors, settings: ObjectiveSettings): Tensor;
  /**
   * Half-width of the neighbourhood of r = 1 for each sample, [M] or a scalar: what the clip fraction counts. Absent: the
   * objective has no such neighbourhood, and the clip fraction is 0.
   */
  halfWidth?(tf: TensorFlow, advantages: Tensor, settings: ObjectiveSettings): Tensor;
  /** The weight of the KL in the next update, where it is steered: from this update's and the mean KL after it. */
  nextKlCoef?(klCoef: number, meanKl: number, settings: Readonly<Pick<RunConfig, "desiredKl">>): number;
}
