import type { Tensor } from "@tensorflow/tfjs-node";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { Objective, SampleTensors } from "../../../learner/objectives/objective.ts";
import { papo } from "../../../learner/objectives/papo.ts";
import { policyGradient } from "../../../learner/objectives/policyGradient.ts";
import { ppo } from "../../../learner/objectives/ppo.ts";
import { ppoKlAdaptive, ppoKlFixed } from "../../../learner/objectives/ppoKl.ts";
import { objectives } from "../../../learner/objectives/registry.ts";
import { spo } from "../../../learner/objectives/spo.ts";
import { loadTensorFlow, type TensorFlow } from "../../../learner/tensorflow.ts";
import { gaussianNetwork, objectiveSettings, samplesAt } from "../updateCases.ts";

let tf: TensorFlow;
beforeAll(() => {
  tf = loadTensorFlow({ device: "cpu", onednn: "off", threads: 1, network: gaussianNetwork(1, [], 1) });
});

const settings = { ...objectiveSettings, clip: 0.2 };
/** The objective of single samples (r, A), and its derivative with respect to r. */
function at(
  objective: Objective,
  samples: readonly (readonly [r: number, advantage: number])[],
  more: Partial<SampleTensors> = {},
): { values: number[]; slopes: number[] } {
  return tf.tidy(() => {
    const excess = tf.tensor1d(samples.map(([r]) => r - 1));
    const advantages = tf.tensor1d(samples.map(([, advantage]) => advantage));
    const of = (x: Tensor): Tensor => objective.perSample(tf, samplesAt(tf, x, advantages, more), settings);
    const slopes = tf.grad((x) => tf.sum(of(x)))(excess);
    return { values: [...of(excess).dataSync()], slopes: [...slopes.dataSync()] };
  });
}
const advantage = fc.double({ min: -5, max: 5, noNaN: true });
const ratio = fc.double({ min: 0.05, max: 5, noNaN: true });

it("every ratio objective rises at r = 1 as the plain policy gradient does, A per unit of r", () => {
  const noKl = { klCoef: tf.scalar(3), klFromOld: tf.zeros([2]) };
  for (const objective of [objectives.ano, ppo, spo, ppoKlFixed]) {
    const { values, slopes } = at(objective, [[1, 2], [1, -3]], noKl); // biome-ignore format: pairs
    expect(values.map((x) => Math.round(x * 1e5) / 1e5)).toEqual([2, -3]);
    expect(slopes.map((x) => Math.round(x * 1e4) / 1e4)).toEqual([2, -3]);
  }
});

describe("SPO", () => {
  it("is r A - |A| (r - 1)^2 / (2 eps)", () => {
    // eps 0.2, r 1.1: 1.1 * 2 - 2 * 0.01 / 0.4 = 2.15; r 0.7, A -1: -0.7 - 0.09 / 0.4 = -0.925
    const { values } = at(spo, [[1.1, 2], [0.7, -1]]); // biome-ignore format: pairs
    expect(values).toEqual([expect.closeTo(2.15, 5), expect.closeTo(-0.925, 5)]);
  });

  it("has each sample's maximum at 1 + eps where the advantage is positive, at 1 - eps where it is negative", () => {
    fc.assert(
      fc.property(advantage, ratio, (A, r) => {
        const best = 1 + Math.sign(A) * settings.clip;
        const { values, slopes } = at(spo, [[best, A], [r, A]]); // biome-ignore format: pairs
        expect(Math.abs(slopes[0]!)).toBeLessThan(1e-5 * Math.max(1, Math.abs(A)));
        expect(values[1]!).toBeLessThanOrEqual(values[0]! + 1e-5);
      }),
      { numRuns: 50 },
    );
  });

  it("pulls back ever harder beyond it, where PPO's gradient is 0", () => {
    const far = [[1.4, 1], [2, 1]] as const; // biome-ignore format: pairs
    expect(at(spo, far).slopes).toEqual([expect.closeTo(1 - 2, 4), expect.closeTo(1 - 5, 4)]);
    expect(at(ppo, far).slopes).toEqual([0, 0]);
  });
});

describe("PPO with a KL penalty", () => {
  it("is r A - beta KL, sample by sample", () => {
    const more = { klCoef: tf.scalar(0.5), klFromOld: tf.tensor1d([0.2, 0.04]) };
    const { values } = at(ppoKlFixed, [[1.1, 2], [0.7, -1]], more); // biome-ignore format: pairs
    expect(values).toEqual([expect.closeTo(2.2 - 0.1, 5), expect.closeTo(-0.7 - 0.02, 5)]);
  });

  it("halves beta below desiredKl / 1.5, doubles it above 1.5 desiredKl, and keeps it between", () => {
    const next = (kl: number, beta = 2): number => ppoKlAdaptive.nextKlCoef!(beta, kl, { desiredKl: 0.03 });
    expect([0, 0.0199, 0.0201, 0.03, 0.0449, 0.0451, 9].map((kl) => next(kl))).toEqual([1, 1, 2, 2, 2, 4, 4]);
    expect(ppoKlFixed.nextKlCoef).toBeUndefined();
  });

  it("never steers beta to 0 or to infinity", () => {
    let [low, high] = [1, 1];
    for (let k = 0; k < 2000; k++) {
      low = ppoKlAdaptive.nextKlCoef!(low, 0, { desiredKl: 0.01 });
      high = ppoKlAdaptive.nextKlCoef!(high, 1, { desiredKl: 0.01 });
    }
    expect([Math.fround(low) > 0, Number.isFinite(Math.fround(high))]).toEqual([true, true]);
  });
});

it("the policy gradient is ln pi(a|s) A, whatever the ratio", () => {
  const samples = samplesAt(tf, tf.tensor1d([2, -0.9]), tf.tensor1d([2, -1]), { logProb: tf.tensor1d([-1.5, -0.25]) });
  expect([...policyGradient.perSample(tf, samples, settings).dataSync()]).toEqual([-3, 0.25]);
});

describe("PAPO", () => {
  const papoOf = (r: number, A: number, d: number, V: number, approxKl: number): number =>
    at(papo, [[r, A]], { tdErrors: tf.tensor1d([d]), values: tf.tensor1d([V]), approxKl: tf.scalar(approxKl) })
      .values[0]!;

  it("is S - k (M + W), by hand for one sample within the clip", () => {
    // S = 1.1 * 2 = 2.2; M = 0.005 (0.1 * 9 + 2 * 1.1 * 3 * 0.005) = 0.0046650; J2 = 2.2^2 + 2 * 4 * 2.2 = 22.44;
    // W = 0.005 * 0.0199 / 7 * (4 + 2 * 2 * 4) - 22.44 = -22.4397157; S - 7 (M + W) = 159.2453550
    expect(papoOf(1.1, 2, 3, 4, 0)).toBeCloseTo(159.245355, 3);
  });

  it("leaves J2 out where the bound of the return is negative", () => {
    // 4 gamma KL max(A) / (1 - gamma)^2 = 4 * 0.99 * 0.01 * 2 / 1e-4 = 792 > S + V: W = 2.843e-4
    expect(papoOf(1.1, 2, 3, 4, 0.01)).toBeCloseTo(2.2 - 7 * (0.004665 + 0.000284286), 4);
  });

  it("takes the smaller of the clipped and unclipped variance terms", () => {
    // r = 2, clip 0.2, d = 1: unclipped 1 + 0.02, clipped 0.2 + 2 * 1.2 * 0.005 = 0.212; A = 0 leaves only M
    expect(papoOf(2, 0, 1, 0, 0)).toBeCloseTo(-7 * 0.005 * 0.212, 6);
  });
});
