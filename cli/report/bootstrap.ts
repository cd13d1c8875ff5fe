import { philoxWords, stream } from "../../shared/seeds.ts";
import { quantile, type Scores } from "./statistics.ts";

/** A point estimate and the bounds of its 95 % interval. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface BootstrapSettings {
  readonly resamples: number;
  readonly seed: number;
}

const level = 0.95;

/**
 * The runs of one resample, [tasks][runs]: for each task as many runs as it has, drawn with replacement from that task
 * alone (stratified). A function of (seed, resample, group): the same report again gives the same intervals.
 * @param sizes number of runs of each task
 * @param group keeps resamples apart that must be independent, e.g. of the two labels of a comparison
 */
export function stratifiedIndices(
  sizes: readonly number[],
  resample: number,
  group: number,
  seed: number,
): Int32Array[] {
  const words = new Uint32Array(4);
  let drawn = 0;
  const next = (bound: number): number => {
    if (drawn % 4 === 0)
      philoxWords(seed % 4294967296, Math.floor(seed / 4294967296), drawn / 4, resample, group, stream.report, words);
    return Math.floor((words[drawn++ % 4]! / 4294967296) * bound);
  };
  return sizes.map((size) => Int32Array.from({ length: size }, () => next(size)));
}

/** The scores of the drawn runs, [tasks][runs]. */
export function drawnScores(scores: Scores, indices: readonly Int32Array[]): Float64Array[] {
  return scores.map((runs, task) => Float64Array.from(indices[task]!, (run) => runs[run]!));
}

/** The 95 % percentile interval of resampled values around a point estimate. */
export function percentileInterval(value: number, resampled: ArrayLike<number>): Estimate {
  return { value, low: quantile(resampled, (1 - level) / 2), high: quantile(resampled, (1 + level) / 2) };
}

/** A statistic of one label's scores with its 95 % stratified bootstrap interval. */
export function estimate(
  scores: Scores,
  statistic: (scores: Scores) => number,
  { resamples, seed }: BootstrapSettings,
): Estimate {
  const sizes = scores.map((runs) => runs.length);
  const values = Float64Array.from({ length: resamples }, (_, resample) =>
    statistic(drawnScores(scores, stratifiedIndices(sizes, resample, 0, seed))),
  );
  return percentileInterval(statistic(scores), values);
}

/** `estimate` of a statistic with several values, [values], e.g. a profile at many thresholds. */
export function estimates(
  scores: Scores,
  statistic: (scores: Scores) => Float64Array,
  { resamples, seed }: BootstrapSettings,
): Estimate[] {
  const sizes = scores.map((runs) => runs.length);
  const drawn = Array.from({ length: resamples }, (_, resample) =>
    statistic(drawnScores(scores, stratifiedIndices(sizes, resample, 0, seed))),
  );
  return Array.from(statistic(scores), (value, i) =>
    percentileInterval(
      value,
      drawn.map((values) => values[i]!),
    ),
  );
}

/** `estimate` of a statistic of two labels, whose runs are drawn independently. */
export function estimateOfPair(
  x: Scores,
  y: Scores,
  statistic: (x: Scores, y: Scores) => number,
  { resamples, seed }: BootstrapSettings,
): Estimate {
  const [ours, theirs] = [x, y].map((scores) => scores.map((runs) => runs.length));
  const values = Float64Array.from({ length: resamples }, (_, resample) =>
    statistic(
      drawnScores(x, stratifiedIndices(ours!, resample, 0, seed)),
      drawnScores(y, stratifiedIndices(theirs!, resample, 1, seed)),
    ),
  );
  return percentileInterval(statistic(x, y), values);
}
