import { shapeError } from "../../shared/errors.ts";

/**
 * The statistics of Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice"
 * (arXiv:2108.13264), as its library rliable defines them; test/cli/report compares them with recorded values of rliable.
 *
 * Scores are [tasks][runs]: one array of final scores per environment. Environments may have different numbers of runs;
 * with the same number everywhere the values are rliable's.
 */
export type Scores = readonly Float64Array[];

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** Middle value, or the mean of the two in the middle. NaN of nothing. */
export function median(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Mean without the floor(n / 4) lowest and as many highest values: scipy's trim_mean(values, 0.25). */
export function interquartileMean(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort();
  const cut = Math.floor(0.25 * sorted.length);
  return mean(sorted.subarray(cut, sorted.length - cut));
}

/** The p-th quantile, 0 <= p <= 1, linear between neighbours: numpy's default. */
export function quantile(values: ArrayLike<number>, p: number): number {
  const sorted = Float64Array.from(values).sort();
  const at = p * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (at - low) * (sorted[high]! - sorted[low]!);
}

/** Standard deviation with the unbiased variance; NaN of fewer than two values. */
export function standardDeviation(values: ArrayLike<number>): number {
  const centre = mean(values);
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += (values[i]! - centre) ** 2;
  return values.length < 2 ? Number.NaN : Math.sqrt(squares / (values.length - 1));
}

function flat(scores: Scores): Float64Array {
  const all = new Float64Array(scores.reduce((sum, runs) => sum + runs.length, 0));
  let at = 0;
  for (const runs of scores) {
    all.set(runs, at);
    at += runs.length;
  }
  return all;
}

/** Mean over the tasks of their mean over runs. */
export const aggregateMean = (scores: Scores): number => mean(scores.map(mean));

/** Median over the tasks of their mean over runs. */
export const aggregateMedian = (scores: Scores): number => median(scores.map(mean));

/** Interquartile mean over all runs of all tasks. */
export const aggregateIqm = (scores: Scores): number => interquartileMean(flat(scores));

/** How far the runs fall short of `target` in the mean; what lies above it counts as `target`. Lower is better. */
export const optimalityGap = (scores: Scores, target = 1): number =>
  target - mean(flat(scores).map((score) => Math.min(score, target)));

/** Share of the runs whose score is above each threshold: a run-score distribution, [thresholds]. */
export function performanceProfile(scores: Scores, thresholds: ArrayLike<number>): Float64Array {
  const all = flat(scores);
  return Float64Array.from(thresholds, (threshold) => {
    let above = 0;
    for (const score of all) if (score > threshold) above++;
    return above / all.length;
  });
}

/**
 * Mean over the tasks of P(X > Y) + P(X = Y) / 2 for a random run of each: the Mann-Whitney U by the number of pairs.
 * Throws SHAPE if the two have different numbers of tasks.
 */
export function probabilityOfImprovement(x: Scores, y: Scores): number {
  if (x.length !== y.length) throw shapeError("scores of the second label", x.length, y);
  return mean(
    x.map((ours, task) => {
      const theirs = y[task]!;
      let wins = 0;
      for (const a of ours) for (const b of theirs) wins += a > b ? 1 : a === b ? 0.5 : 0;
      return wins / (ours.length * theirs.length);
    }),
  );
}
