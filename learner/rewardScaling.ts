import { OperatorError, shapeError } from "../shared/errors.ts";
import { areFinite, foldBatch, initialMoments, type Moments } from "./runningMoments.ts";

/** Continues over rounds; belongs to the checkpoint. */
export interface RewardScalingState {
  readonly moments: Moments; // of the discounted returns G, one dimension
  readonly returns: Float64Array; // [envs] G of each environment of the run
}

export interface RewardScalingInput {
  readonly steps: number; // T
  readonly rewards: Float32Array; // [T, N] as the environments shape them
  readonly terminated: Uint8Array; // [T, N]
  readonly truncated: Uint8Array; // [T, N]
  readonly environments: Int32Array; // [N] index in the run of each column
  /** Columns that run side by side in time, in column order. More than one set only where async runs repeat an EnvBatch. */
  readonly waves: readonly Int32Array[];
}

/**
 * Rewards divided by the running standard deviation of the discounted return (ALGORITHMS, Protocols; gymnasium's
 * NormalizeReward on a vector environment). At each step t, for the batch of environments in order:
 *   G = γ G + r;  fold the batch of G into the running variance;  r / sqrt(variance + 1e-8), clipped;  G = 0 where done.
 */
export class RewardScaling {
  readonly #gamma: number;
  readonly #clip: number;
  #moments: Moments;
  readonly #returns: Float64Array;

  constructor(gamma: number, clip: number, state: RewardScalingState) {
    this.#gamma = gamma;
    this.#clip = clip;
    this.#moments = state.moments;
    this.#returns = state.returns.slice();
  }

  static initial(gamma: number, clip: number, environments: number): RewardScaling {
    return new RewardScaling(gamma, clip, { moments: initialMoments(1), returns: new Float64Array(environments) });
  }

  get state(): RewardScalingState {
    return { moments: this.#moments, returns: this.#returns.slice() };
  }

  /** The scaled rewards [T, N] of a round, and the statistics moved on by it. Throws SHAPE, NUMERIC. */
  scale(round: RewardScalingInput): Float32Array {
    const cells = round.steps * round.environments.length;
    for (const field of ["rewards", "terminated", "truncated"] as const)
      if (round[field].length !== cells) throw shapeError(field, cells, round[field]);
    const scaled = new Float32Array(cells);
    for (const columns of round.waves)
      for (let t = 0; t < round.steps; t++) this.#step(round, columns, t * round.environments.length, scaled);
    if (!areFinite(this.#moments))
      throw new OperatorError(
        "NUMERIC",
        "The statistics of rewards are not finite: the round holds rewards that are NaN, Inf or too large.",
        "Mend the environment, then resume from the last checkpoint.",
      );
    return scaled;
  }

  #step(round: RewardScalingInput, columns: Int32Array, row: number, scaled: Float32Array): void {
    const { rewards, terminated, truncated, environments } = round;
    const batch = new Float64Array(columns.length);
    for (let c = 0; c < columns.length; c++) {
      const environment = environments[columns[c]!]!;
      batch[c] = this.#gamma * this.#returns[environment]! + rewards[row + columns[c]!]!;
      this.#returns[environment] = batch[c]!;
    }
    this.#moments = foldBatch(this.#moments, batch);
    const std = Math.sqrt(this.#moments.variance[0]! + 1e-8);
    for (let c = 0; c < columns.length; c++) {
      const i = row + columns[c]!;
      const reward = rewards[i]! / std;
      scaled[i] = Math.min(this.#clip, Math.max(-this.#clip, reward));
      if (terminated[i] || truncated[i]) this.#returns[environments[columns[c]!]!] = 0;
    }
  }
}
