import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  drawnScores,
  estimate,
  estimateOfPair,
  percentileInterval,
  stratifiedIndices,
} from "../../../cli/report/bootstrap.ts";
import {
  aggregateIqm,
  aggregateMean,
  aggregateMedian,
  interquartileMean,
  optimalityGap,
  performanceProfile,
  probabilityOfImprovement,
  quantile,
  type Scores,
} from "../../../cli/report/statistics.ts";

type Matrix = readonly (readonly number[])[]; // [runs][tasks], as rliable takes it
interface Recorded {
  readonly thresholds: readonly number[];
  readonly cases: Readonly<
    Record<
      string,
      {
        readonly scores: Matrix;
        readonly aggregates: Readonly<Record<keyof typeof statistics, number>>;
        readonly intervals: Readonly<Record<keyof typeof statistics, readonly [number, number]>>;
        readonly indices: readonly Matrix[];
        readonly sameDraws: Readonly<Record<keyof typeof statistics, readonly [number, number]>>;
        readonly profile: readonly number[];
      }
    >
  >;
  readonly improvement: { of: string; over: string; value: number; interval: readonly [number, number] };
}
const statistics = {
  mean: aggregateMean,
  median: aggregateMedian,
  iqm: aggregateIqm,
  optimalityGap: (scores: Scores) => optimalityGap(scores),
};
const names = Object.keys(statistics) as (keyof typeof statistics)[];
const recorded = JSON.parse(readFileSync(new URL("../../golden/rliable.json", import.meta.url), "utf8")) as Recorded; // made by recordRliable.py
const byTask = (matrix: Matrix): Float64Array[] =>
  matrix[0]!.map((_, task) => Float64Array.from(matrix, (run) => run[task]!));
const scoresOf = (name: string): Float64Array[] => byTask(recorded.cases[name]!.scores);
const near = (got: number, want: number, within: number): void => expect(Math.abs(got - want)).toBeLessThan(within);

describe("values recorded from rliable", () => {
  for (const [name, golden] of Object.entries(recorded.cases)) {
    const scores = byTask(golden.scores);
    it(`${name}: aggregates and performance profile agree to 1e-12`, () => {
      for (const statistic of names) near(statistics[statistic](scores), golden.aggregates[statistic], 1e-12);
      performanceProfile(scores, recorded.thresholds).forEach(
        (share, i) => void near(share, golden.profile[i]!, 1e-12),
      );
    });

    it(`${name}: intervals over the same draws agree to 1e-12`, () => {
      const draws = golden.indices.map((matrix) =>
        drawnScores(
          scores,
          byTask(matrix).map((task) => Int32Array.from(task)),
        ),
      );
      for (const statistic of names) {
        const { low, high } = percentileInterval(0, draws.map(statistics[statistic]));
        near(low, golden.sameDraws[statistic][0], 1e-12);
        near(high, golden.sameDraws[statistic][1], 1e-12);
      }
    });

    it(`${name}: intervals over our own draws lie where rliable's do`, () => {
      for (const statistic of names) {
        const { low, high } = estimate(scores, statistics[statistic], { resamples: 4000, seed: 7 });
        const [wantLow, wantHigh] = golden.intervals[statistic];
        // the bounds of 4000 draws scatter by about 2 % of the interval's width
        near(low, wantLow, 0.1 * (wantHigh - wantLow));
        near(high, wantHigh, 0.1 * (wantHigh - wantLow));
      }
    });
  }

  it("the probability of improvement agrees, ties counting half", () => {
    const { of, over, value, interval } = recorded.improvement;
    const ours = estimateOfPair(scoresOf(of), scoresOf(over), probabilityOfImprovement, { resamples: 4000, seed: 7 });
    near(ours.value, value, 1e-12);
    near(ours.low, interval[0], 0.03);
    near(ours.high, interval[1], 0.03);
  });
});

describe("by hand", () => {
  it("the interquartile mean leaves out floor(n/4) at each end: of 1 2 3 4 10, (2+3+4)/3 = 3", () => {
    expect(interquartileMean([10, 1, 3, 2, 4])).toBe(3);
    expect(interquartileMean([5, 1, 3])).toBe(3); // floor(3/4) = 0: the plain mean
  });

  it("the optimality gap counts what is above the target as the target: 1 - (0.5 + 1) / 2 = 0.25", () => {
    expect(optimalityGap([Float64Array.of(0.5, 7)])).toBe(0.25);
  });

  it("a quarter of the way between 0 and 1 lies at 0.25", () => expect(quantile([1, 0], 0.25)).toBe(0.25));

  it("labels with different tasks cannot be compared", () => {
    expect(() => probabilityOfImprovement([Float64Array.of(1)], [])).toThrow(/has 0 elements, expected 1/);
  });
});

const someScores = fc.array(
  fc
    .array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 1, maxLength: 6 })
    .map((x) => Float64Array.from(x)),
  { minLength: 1, maxLength: 5 },
);

describe("of any scores", () => {
  it("an aggregate lies between the lowest and the highest score", () => {
    fc.assert(
      fc.property(someScores, (scores) => {
        const all = scores.flatMap((runs) => [...runs]);
        for (const statistic of [aggregateMean, aggregateMedian, aggregateIqm]) {
          expect(statistic(scores)).toBeGreaterThanOrEqual(Math.min(...all) - 1e-12);
          expect(statistic(scores)).toBeLessThanOrEqual(Math.max(...all) + 1e-12);
        }
      }),
    );
  });

  it("P(X > Y) and P(Y > X) add up to 1", () => {
    fc.assert(
      fc.property(someScores, (x) => {
        const y = x.map((runs) => runs.map((score) => score / 2));
        near(probabilityOfImprovement(x, y) + probabilityOfImprovement(y, x), 1, 1e-9);
      }),
    );
  });

  it("a resample draws as many runs of each task, and the same ones again from the same seed", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 })), fc.nat(), fc.nat(), (sizes, resample, seed) => {
        const drawn = stratifiedIndices(sizes, resample, 0, seed);
        expect(drawn.map(({ length }) => length)).toEqual(sizes);
        drawn.forEach((task, i) => void expect(task.every((run) => run >= 0 && run < sizes[i]!)).toBe(true));
        expect(stratifiedIndices(sizes, resample, 0, seed)).toEqual(drawn);
      }),
    );
  });
});
