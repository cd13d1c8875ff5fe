import { readFileSync } from "node:fs";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { ano, anoObjective } from "../../../learner/objectives/ano.ts";
import { loadTensorFlow, type TensorFlow } from "../../../learner/tensorflow.ts";
import { evenly } from "../../evenly.ts";
import { gaussianNetwork, objectiveSettings, samplesAt } from "../updateCases.ts";

interface Golden {
  readonly r: number;
  readonly A: number;
  readonly epsPos: number;
  readonly epsNeg: number;
  readonly objective: number;
  readonly dObjectiveDr: number;
}
const golden = JSON.parse(
  readFileSync(new URL("../../golden/ano_objective.json", import.meta.url), "utf8"),
) as readonly Golden[];

/** f and f' for advantage 1, which is f_pos itself. */
const f = (r: number, eps: number): number => anoObjective(r, 1, eps, 1).value;
const slope = (r: number, eps: number): number => anoObjective(r, 1, eps, 1).derivative;
const eps = evenly(0.01, 1);
const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const advantage = evenly(-10, 10);

describe("anoObjective", () => {
  it(`meets the ${golden.length} values computed with 40 digits`, () => {
    for (const { r, A, epsPos, epsNeg, objective, dObjectiveDr } of golden) {
      const { value, derivative } = anoObjective(r, A, epsPos, epsNeg);
      expect(Math.abs(value - objective)).toBeLessThanOrEqual(1e-12 * Math.max(1, Math.abs(objective)));
      expect(Math.abs(derivative - dObjectiveDr)).toBeLessThanOrEqual(1e-12 * Math.max(1, Math.abs(dObjectiveDr)));
    }
  });

  it("is worth the advantage at r = 1 and rises there as the plain policy gradient does", () => {
    fc.assert(
      fc.property(advantage, eps, eps, (A, epsPos, epsNeg) => {
        const { value, derivative } = anoObjective(1, A, epsPos, epsNeg);
        expect(value).toBeCloseTo(A, 12);
        expect(derivative).toBeCloseTo(A, 12);
      }),
    );
  });

  it("has its maximum at 1 + eps", () => {
    fc.assert(
      fc.property(eps, evenly(-20, 20), (e, z) => {
        expect(slope(1 + e, e)).toBeCloseTo(0, 12);
        expect(f(1 + e + z * e, e)).toBeLessThanOrEqual(f(1 + e, e));
      }),
    );
  });

  it("pulls back beyond 1 + eps, ever less far away (redescending)", () => {
    fc.assert(
      fc.property(eps, evenly(0.01, 20), (e, z) => {
        expect(slope(1 + e + z * e, e)).toBeLessThan(0);
      }),
    );
    for (const e of [0.1, 0.2, 0.3]) expect(Math.abs(slope(1 + 60 * e, e))).toBeLessThan(1e-12);
  });

  it("pulls back hardest at r = 1 + 2.55324 eps, with slope -0.77367", () => {
    for (const e of [0.1, 0.2, 0.3]) {
      const slopes = Array.from({ length: 400_001 }, (_, i) => slope(1 + (i * 1e-4 * e) / 4, e));
      const steepest = slopes.reduce((least, value, i) => (value < slopes[least]! ? i : least), 0);
      expect((steepest * 1e-4) / 4).toBeCloseTo(2.55324, 4);
      expect(slopes[steepest]).toBeCloseTo(-0.77367, 5);
    }
  });

  it("changes from concave to convex once, at z = -log2 of the root of x^5 + 5x^3 + x^2 + 2x - 1", () => {
    for (const e of [0.1, 0.3]) {
      const at = (i: number): number => 1 + e + e * (-8 + i / 100);
      const bends = Array.from({ length: 2000 }, (_, i) => Math.sign(slope(at(i + 1), e) - slope(at(i), e)));
      const changes = bends.flatMap((sign, i) => (i > 0 && sign !== bends[i - 1] ? [-8 + i / 100] : []));
      expect(changes).toHaveLength(1);
      expect(changes[0]).toBeCloseTo(1.55, 1);
      const root = 2 ** -1.55324;
      expect(root ** 5 + 5 * root ** 3 + root ** 2 + 2 * root - 1).toBeCloseTo(0, 4);
    }
  });

  it("has a slope of at most 45/16, the limit as r falls", () => {
    fc.assert(
      fc.property(finite, eps, (r, e) => {
        expect(slope(r, e)).toBeLessThanOrEqual(45 / 16);
        expect(slope(r, e)).toBeGreaterThanOrEqual(-0.7737);
      }),
    );
    expect(slope(-100, 0.3)).toBeCloseTo(45 / 16, 12);
  });

  it("mirrors f about r = 1 for a negative advantage: A (2 - f_neg(2 - r))", () => {
    fc.assert(
      fc.property(evenly(0, 20), eps, (r, e) => {
        expect(anoObjective(r, -1, 1, e).value).toBeCloseTo(-(2 - f(2 - r, e)), 10);
        expect(anoObjective(r, -1, 1, e).derivative).toBeCloseTo(-slope(2 - r, e), 10);
      }),
    );
  });

  it("is finite for every finite ratio, advantage and eps", () => {
    fc.assert(
      fc.property(finite, finite, fc.double({ min: 1e-6, max: 1e6, noNaN: true }), (r, A, e) => {
        const { value, derivative } = anoObjective(r, A, e, e);
        expect(Number.isFinite(value)).toBe(true);
        expect(Number.isFinite(derivative)).toBe(true);
      }),
      { numRuns: 2000 },
    );
    for (const r of [0, 1e308, -1e308, Number.MIN_VALUE])
      for (const A of [1, -1, 0]) expect(Number.isFinite(anoObjective(r, A, 0.1, 0.1).value)).toBe(true);
  });

  it("refuses what is not a finite number, and a half-width that is not positive", () => {
    expect(() => anoObjective(Number.NaN, 1, 0.3, 0.3)).toThrow("[NUMERIC] anoObjective: ratio is NaN.");
    expect(() => anoObjective(1, Number.POSITIVE_INFINITY, 0.3, 0.3)).toThrow("advantage is Infinity");
    expect(() => anoObjective(1, 1, 0, 0.3)).toThrow("[CONFIG] anoObjective: epsPos is 0.");
    expect(() => anoObjective(1, 1, 0.3, -1)).toThrow("epsNeg is -1");
    expect(() => anoObjective("1" as unknown as number, 1, 0.3, 0.3)).toThrow("ratio is 1");
  });
});

describe("the objective on tensors", () => {
  let tf: TensorFlow;
  beforeAll(() => {
    tf = loadTensorFlow({ device: "cpu", onednn: "off", threads: 1, network: gaussianNetwork(1, [], 1) });
  });

  it("agrees with the scalar reference, value and gradient, to float32's precision", () => {
    for (const [epsPos, epsNeg] of [
      [0.3, 0.3],
      [0.1, 0.2],
    ] as const) {
      const logRatios = Float32Array.from({ length: 4001 }, (_, i) => (i - 2000) / 500); // r from 0.018 to 55
      for (const A of [1.7, -0.6]) {
        const advantages = tf.fill([logRatios.length], A);
        const objective = (x: import("@tensorflow/tfjs-node").Tensor) =>
          ano.perSample(tf, samplesAt(tf, x, advantages), { ...objectiveSettings, epsPos, epsNeg });
        const excess = tf.tensor1d(logRatios.map((l) => Math.expm1(l)));
        const values = objective(excess).dataSync();
        const slopes = tf
          .grad((x) => tf.sum(objective(x)))(excess)
          .dataSync();
        const at = excess.dataSync();
        for (let i = 0; i < at.length; i++) {
          const want = anoObjective(1 + at[i]!, Math.fround(A), epsPos, epsNeg);
          expect(Math.abs(values[i]! - want.value)).toBeLessThan(2e-6 * Math.max(1, Math.abs(want.value)));
          expect(Math.abs(slopes[i]! - want.derivative)).toBeLessThan(2e-6 * Math.max(1, Math.abs(want.derivative)));
        }
      }
    }
  });
});
