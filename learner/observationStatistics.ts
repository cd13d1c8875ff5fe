import { OperatorError, shapeError } from "../shared/errors.ts";
import { areFinite, foldBatch, initialMoments, type Moments } from "./runningMoments.ts";

/** What a policy version subtracts and divides by, in float32: the numbers that lie in its ONNX file. */
export interface Normaliser {
  readonly mean: Float32Array; // [D]
  readonly std: Float32Array; // [D] sqrt(variance + 1e-8), in float64, then rounded
  readonly count: number; // observations that they are of
}

export function normaliserOf({ mean, variance, count }: Moments): Normaliser {
  const std = Float32Array.from(variance, (of) => Math.sqrt(of + 1e-8));
  return { mean: Float32Array.from(mean), std, count };
}

/**
 * The statistics of raw observations by policy version, frozen within a round: those of version v have seen rounds
 * 0..v-1, each observation that an action answered once. Older versions stay as long as rollouts may have acted with them.
 */
export class ObservationStatistics {
  readonly #versions: Map<number, Moments>; // ascending
  readonly #retained: number;

  /** @param retained versions to keep: the largest policy lag + 1 */
  constructor(retained: number, versions: ReadonlyMap<number, Moments>) {
    this.#retained = retained;
    this.#versions = new Map([...versions].sort(([a], [b]) => a - b));
  }

  static initial(dimensions: number, retained: number): ObservationStatistics {
    return new ObservationStatistics(retained, new Map([[0, initialMoments(dimensions)]]));
  }

  get versions(): ReadonlyMap<number, Moments> {
    return this.#versions;
  }

  /** Throws MISMATCH if the version's statistics are not kept (any more). */
  normaliser(version: number): Normaliser {
    const moments = this.#versions.get(version);
    if (moments === undefined)
      throw new OperatorError(
        "MISMATCH",
        `A rollout acted with policy version ${version}, and the observation statistics kept are of versions ${[...this.#versions.keys()].join(", ")}.`,
        "Restart the learner from its last checkpoint; rollouts of such versions should have been refused.",
      );
    return normaliserOf(moments);
  }

  /**
   * Folds a round into the newest version's statistics, which gives those of `version`: step by step, each time the batch
   * of all N environments in environment order, as gymnasium's NormalizeObservation does on a vector environment.
   * @param observations [T, N, D] raw. Throws NUMERIC if the statistics are not finite afterwards.
   */
  foldRound(version: number, observations: Float32Array, steps: number): void {
    const newest = [...this.#versions.keys()].at(-1)!;
    const stepElements = observations.length / steps;
    if (!Number.isInteger(stepElements))
      throw shapeError("observations", Math.ceil(stepElements) * steps, observations);
    let moments = this.#versions.get(newest)!;
    for (let t = 0; t < steps; t++)
      moments = foldBatch(moments, observations.subarray(t * stepElements, (t + 1) * stepElements));
    if (!areFinite(moments))
      throw new OperatorError(
        "NUMERIC",
        `The statistics of observations for policy version ${version} are not finite: the round holds observations that are NaN, Inf or too large.`,
        "Mend the environment, then resume from the last checkpoint.",
      );
    this.#versions.set(version, moments);
    for (const old of [...this.#versions.keys()].slice(0, -this.#retained)) this.#versions.delete(old);
  }
}

/**
 * (x − mean) / std, clipped to ±clip, each operation in float32 exactly as the ONNX graph does it, so that the learner's
 * probabilities are those the actor saw.
 * @param raw [M, D] into `normalised` [M, D], rows `from` to `to`
 */
export function normaliseRows(
  raw: Float32Array,
  normalised: Float32Array,
  { mean, std }: Pick<Normaliser, "mean" | "std">,
  clip: number,
  from: number,
  to: number,
): void {
  const dimensions = mean.length;
  const bound = Math.fround(clip);
  for (let row = from; row < to; row++) {
    const start = row * dimensions;
    for (let d = 0; d < dimensions; d++) {
      const x = Math.fround(Math.fround(raw[start + d]! - mean[d]!) / std[d]!);
      normalised[start + d] = Math.min(bound, Math.max(-bound, x));
    }
  }
}
