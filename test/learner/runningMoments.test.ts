import { describe, expect, it } from "vitest";
import { foldBatch, initialMoments } from "../../learner/runningMoments.ts";
import { numberSource } from "./updateCases.ts";

describe("running moments", () => {
  it("start as gym's do and fold a batch in by hand", () => {
    // 1e-4 samples of mean 0, variance 1; then {1, 3}: mean 2, variance 1; n = 2.0001
    // mean = 2·2/n; var = (1·1e-4 + 2 + 4·1e-4·2/n) / n
    const n = 2.0001;
    const { count, mean, variance } = foldBatch(initialMoments(1), Float32Array.of(1, 3));
    expect(count).toBe(n);
    expect(mean[0]).toBeCloseTo(4 / n, 12);
    expect(variance[0]).toBeCloseTo((1e-4 + 2 + (4 * 1e-4 * 2) / n) / n, 12);
  });

  it("are the moments of all samples, however they came in batches", () => {
    const { normal } = numberSource(3);
    const samples = Float64Array.from({ length: 600 }, (_, i) => 1000 + (i % 3) * 7 + normal());
    let parts = initialMoments(3);
    for (let from = 0; from < 200; ) {
      const to = Math.min(200, from + 1 + (from % 17));
      parts = foldBatch(parts, samples.subarray(from * 3, to * 3));
      from = to;
    }
    const whole = foldBatch(initialMoments(3), samples);
    for (let d = 0; d < 3; d++) {
      expect(parts.mean[d]).toBeCloseTo(whole.mean[d]!, 9);
      expect(parts.variance[d]).toBeCloseTo(whole.variance[d]!, 9);
    }
    expect(parts.count).toBeCloseTo(200.0001, 9);
  });

  it("leave what they were folded into as it was", () => {
    const before = initialMoments(2);
    foldBatch(before, Float32Array.of(1, 2, 3, 4));
    expect(before).toEqual(initialMoments(2));
  });

  it("refuse a batch that is no whole number of samples", () => {
    expect(() => foldBatch(initialMoments(2), Float32Array.of(1, 2, 3))).toThrow("samples has 3 elements");
  });
});
