import { describe, expect, it } from "vitest";
import { normaliseRows, ObservationStatistics } from "../../learner/observationStatistics.ts";
import { foldBatch, initialMoments } from "../../learner/runningMoments.ts";

/** Two steps of two environments with two dimensions. */
const round = Float32Array.of(1, 10, 3, 20, 5, 30, 7, 40);

describe("observation statistics", () => {
  it("fold a round step by step, every environment of a step at once", () => {
    const statistics = ObservationStatistics.initial(2, 1);
    statistics.foldRound(1, round, 2);
    const want = foldBatch(foldBatch(initialMoments(2), round.subarray(0, 4)), round.subarray(4));
    expect(statistics.versions.get(1)).toEqual(want);
  });

  it("keep as many versions as rollouts may have acted with, and refuse an older one", () => {
    const statistics = ObservationStatistics.initial(2, 2);
    for (let version = 1; version <= 3; version++) statistics.foldRound(version, round, 2);
    expect([...statistics.versions.keys()]).toEqual([2, 3]);
    expect(() => statistics.normaliser(1)).toThrow(/MISMATCH.*version 1.*2, 3/);
  });

  it("give a version's mean and sqrt(variance + 1e-8) in float32", () => {
    const statistics = ObservationStatistics.initial(2, 1);
    statistics.foldRound(1, round, 2);
    const { mean, variance } = statistics.versions.get(1)!;
    const { mean: mean32, std } = statistics.normaliser(1);
    expect(mean32[1]).toBe(Math.fround(mean[1]!));
    expect(std[1]).toBe(Math.fround(Math.sqrt(variance[1]! + 1e-8)));
  });

  it("refuse a round that makes them infinite", () => {
    const statistics = ObservationStatistics.initial(2, 1);
    const bad = round.slice();
    bad[3] = Number.POSITIVE_INFINITY;
    expect(() => statistics.foldRound(1, bad, 2)).toThrow(/NUMERIC.*not finite/);
  });
});

describe("normaliseRows", () => {
  it("scales and clips only the rows asked for, and keeps NaN visible", () => {
    const raw = Float32Array.of(1, 2, 3, 100, Number.NaN, -100);
    const normalised = new Float32Array(6);
    const normaliser = { mean: Float32Array.of(1, 2), std: Float32Array.of(2, 4) };
    normaliseRows(raw, normalised, normaliser, 10, 1, 3);
    // (3 − 1) / 2 = 1; (100 − 2) / 4 = 24.5, clipped to 10; (−100 − 2) / 4, clipped to −10
    expect([...normalised]).toEqual([0, 0, 1, 10, Number.NaN, -10]);
  });
});
