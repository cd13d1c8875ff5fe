/** A quantity over time: [seconds, value], in order of time. */
export type Series = readonly (readonly [number, number])[];

/** Theil and Sen's slope, the median over all pairs of points, in units per hour: up to 29 % of wild points change little. */
export function slopePerHour(series: Series): number {
  const slopes: number[] = [];
  for (const [i, [fromSecond, from]] of series.entries())
    for (const [toSecond, to] of series.slice(i + 1))
      if (toSecond > fromSecond) slopes.push((to - from) / (toSecond - fromSecond));
  return median(slopes) * 3600;
}

/** The points after half of the time: what a process gets ready at its start, and caches that fill, lie before. */
export function secondHalf(series: Series): Series {
  if (series.length === 0) return [];
  const middle = (series[0]![0] + series.at(-1)![0]) / 2;
  return series.filter(([second]) => second >= middle);
}

/** NaN of nothing. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export interface Verdict {
  readonly median: number; // of the second half
  readonly perHour: number; // slope of the second half
  readonly bound: number; // per hour
  readonly grows: boolean;
}

/** Does a quantity that should stand still grow, by more than `bound` per hour, in the second half of its series? */
export function growth(series: Series, bound: number): Verdict {
  const half = secondHalf(series);
  const perHour = slopePerHour(half);
  if (Number.isNaN(perHour)) throw new Error(`a series of ${series.length} points has no trend`);
  return { median: median(half.map(([, value]) => value)), perHour, bound, grows: perHour > bound };
}
