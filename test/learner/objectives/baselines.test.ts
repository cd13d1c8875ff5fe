import type { Tensor } from "@tensorflow/tfjs-node";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { Objective, ObjectiveSettings, SampleTensors } from "../../../learner/objectives/objective.ts";
import { papo } from "../../../learner/objectives/papo.ts";
import { policyGradient } from "../../../learner/objectives/policyGradient.ts";
import { ppo } from "../../../learner/objectives/ppo.ts";
import { ppoKlAdaptive, ppoKlFixed } from "../../../learner/objectives/ppoKl.ts";
import { objectives } from "../../../learner/objectives/registry.ts";
import { spo } from "../../../learner/objectives/spo.ts";
import { loadTensorFlow, type TensorFlow } from "../../../learner/tensorflow.ts";
import { evenly } from "../../evenly.ts";
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
  changes: Partial<ObjectiveSettings> = {},
): { values: number[]; slopes: number[] } {
  return tf.tidy(() => {
    const excess = tf.tensor1d(samples.map(([r]) => r - 1));
    const advantages = tf.tensor1d(samples.map(([, advantage]) => advantage));
    const of = (x: Tensor): Tensor =>
      objective.perSample(tf, samplesAt(tf, x, advantages, more), { ...settings, ...changes });
    const slopes = tf.grad((x) => tf.sum(of(x)))(excess);
    return { values: [...of(excess).dataSync()], slopes: [...slopes.dataSync()] };
  });
}
const close = (numbers: readonly number[]): unknown[] => numbers.map((x) => expect.closeTo(x, 4));
const advantage = evenly(-5, 5);
const ratio = evenly(0.05, 5);
const clips = fc.integer({ min: 1, max: 9 }).map((tenths) => tenths / 10);
const sampled = fc.array(fc.tuple(evenly(0, 2), advantage), { minLength: 1, maxLength: 100, size: "max" });

it("every ratio objective rises at r = 1 as the plain policy gradient does, A per unit of r", () => {
  const noKl = { klCoef: tf.scalar(3), klFromOld: tf.zeros([2]) };
  for (const objective of [objectives.ano, ppo, spo, ppoKlFixed]) {
    const { values, slopes } = at(objective, [[1, 2], [1, -3]], noKl); // biome-ignore format: pairs
    expect(values.map((x) => Math.round(x * 1e5) / 1e5)).toEqual([2, -3]);
    expect(slopes.map((x) => Math.round(x * 1e4) / 1e4)).toEqual([2, -3]);
  }
});

describe("PPO", () => {
  /** Whether r A would go on gaining beyond the side of the clip on which r lies. */
  const gainsBeyond = (r: number, A: number, clip: number): boolean => (A > 0 ? r > 1 + clip : r < 1 - clip);

  it("is r A with slope A, but flat beyond the side of the clip where r A would go on gaining", () => {
    fc.assert(
      fc.property(sampled, clips, (samples, clip) => {
        const { values, slopes } = at(ppo, samples, {}, { clip });
        const edge = (A: number): number => (1 + Math.sign(A) * clip) * A;
        expect(values).toEqual(close(samples.map(([r, A]) => (gainsBeyond(r, A, clip) ? edge(A) : r * A))));
        expect(slopes).toEqual(close(samples.map(([r, A]) => (gainsBeyond(r, A, clip) ? 0 : A))));
      }),
      { numRuns: 15, seed: 11 },
    );
  });

  it("is never worth more than r A, nor than the clipped ratio times A", () => {
    fc.assert(
      fc.property(sampled, clips, (samples, clip) => {
        for (const [i, value] of at(ppo, samples, {}, { clip }).values.entries()) {
          const [r, A] = samples[i]!;
          const clipped = Math.min(Math.max(r, 1 - clip), 1 + clip);
          expect(value).toBeLessThanOrEqual(Math.min(r * A, clipped * A) + 1e-5);
        }
      }),
      { numRuns: 15, seed: 12 },
    );
  });

  it("mirrors about r = 1: worth 2 A less at 2 - r for -A, with the slope turned round", () => {
    fc.assert(
      fc.property(sampled, clips, (samples, clip) => {
        const here = at(ppo, samples, {}, { clip });
        const there = at(ppo, samples.map(([r, A]) => [2 - r, -A]), {}, { clip }); // biome-ignore format: pairs
        expect(there.values).toEqual(close(here.values.map((value, i) => value - 2 * samples[i]![1])));
        expect(there.slopes).toEqual(close(here.slopes.map((slope) => -slope)));
      }),
      { numRuns: 15, seed: 13 },
    );
  });

  it("is worth A at r = 1, and rises there as the policy gradient does, for every advantage and clip", () => {
    fc.assert(
      fc.property(fc.array(advantage, { minLength: 1, size: "max", maxLength: 100 }), clips, (advantages, clip) => {
        const samples = advantages.map((A) => [1, A] as const);
        const { values, slopes } = at(ppo, samples, {}, { clip });
        expect(values).toEqual(close(advantages));
        expect(slopes).toEqual(close(at(policyGradient, samples).slopes));
      }),
      { numRuns: 15, seed: 14 },
    );
  });
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
      { numRuns: 50, seed: 15 },
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
  type Sample = readonly [r: number, advantage: number, tdError: number, value: number];
  const minibatch = (of: Partial<Record<"r" | "A" | "d" | "V", fc.Arbitrary<number>>> = {}): fc.Arbitrary<Sample[]> =>
    fc.array(fc.tuple(of.r ?? evenly(0, 2), of.A ?? advantage, of.d ?? evenly(-2, 2), of.V ?? evenly(-1, 1)), {
      minLength: 1,
      maxLength: 50,
      size: "max",
    });
  const mean = (numbers: readonly number[]): number => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
  /** The minibatch's objective, and its slope in each ratio times the minibatch's size. */
  const papoAt = (samples: readonly Sample[], kl: number, changes: Partial<ObjectiveSettings> = {}) => {
    const pairs = samples.map(([r, A]) => [r, A] as const);
    const tdErrors = tf.tensor1d(samples.map(([, , d]) => d));
    const values = tf.tensor1d(samples.map(([, , , V]) => V));
    const got = at(papo, pairs, { tdErrors, values, approxKl: tf.scalar(kl) }, changes);
    return { value: got.values[0]!, slopes: got.slopes.map((slope) => slope * samples.length) };
  };
  const risen: Sample = [1, 1, 1, 0];
  const voidBound = 1e6; // a KL at which the bound of the return is negative, if some advantage is positive
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

  it("keeps J2 where that bound is exactly 0", () => {
    // S = 2, V = -2, KL 0; d = 0: J2 = 4 - 8 = -4, W = 0.005 * 0.0199 / 7 * (4 - 8) + 4
    expect(papoOf(1, 2, 0, -2, 0)).toBeCloseTo(2 - 7 * (4 - 5.685714e-5), 4);
  });

  it("is PPO, value and slopes, where omega1 is 0 and J2 is left out; and has PPO's slopes as k goes to 0", () => {
    fc.assert(
      fc.property(minibatch(), clips, (some, clip) => {
        const samples = [...some, risen];
        const clipped = at(ppo, samples.map(([r, A]) => [r, A]), {}, { clip }); // biome-ignore format: pairs
        const { value, slopes } = papoAt(samples, voidBound, { clip, omega1: 0 });
        expect([value, ...slopes]).toEqual(close([mean(clipped.values), ...clipped.slopes]));
        expect(papoAt(samples, 0, { clip, papoK: 1e-7 }).slopes).toEqual(close(clipped.slopes));
      }),
      { numRuns: 10, seed: 21 },
    );
  });

  it("has as variance term PPO's surrogate with d^2 + 2 d omega2 for the advantage, less mean d^2", () => {
    const omegas = { omega1: 0.3, omega2: 0.4 };
    fc.assert(
      fc.property(minibatch({ A: fc.constant(0) }), clips, (samples, clip) => {
        const { value, slopes } = papoAt(samples, 0, { clip, ...omegas });
        const clipped = at(ppo, samples.map(([r, , d]) => [r, d * d + 0.8 * d]), {}, { clip }); // biome-ignore format: pairs
        const m = 0.3 * (mean(clipped.values) - mean(samples.map(([, , d]) => d * d)));
        expect([value, ...slopes]).toEqual(close([-7 * m, ...clipped.slopes.map((slope) => -7 * 0.3 * slope)]));
      }),
      { numRuns: 10, seed: 22 },
    );
  });

  it("rises at r = 1 by A, as much more as J2 is worth, less the variance's part", () => {
    // dS = A, dM = omega1 (d^2 + 2 d omega2), dJ2 = 2 (S + mean V) A while the bound S + mean V holds
    fc.assert(
      fc.property(minibatch({ r: fc.constant(1) }), (samples) => {
        const bound = mean(samples.map(([, A, , V]) => A + V));
        fc.pre(Math.abs(bound) > 1e-4);
        const { slopes } = papoAt(samples, 0, { omega1: 0.3, omega2: 0.4 });
        const raised = 1 + 7 * 2 * Math.max(bound, 0);
        expect(slopes.map((slope) => slope / raised)).toEqual(
          close(samples.map(([, A, d]) => A - (7 * 0.3 * (d * d + 0.8 * d)) / raised)),
        );
      }),
      { numRuns: 10, seed: 23 },
    );
  });

  it("is told by the KL only whether J2 counts: it does up to 4 gamma KL max(A) / (1 - gamma)^2 = S + mean V", () => {
    fc.assert(
      fc.property(minibatch(), evenly(-1, 3), evenly(0.01, 2), (some, raise, share) => {
        const samples = [...some, risen].map(([r, A, d, V]): Sample => [r, A, d, V + raise]);
        const s = mean(at(ppo, samples.map(([r, A]) => [r, A])).values); // biome-ignore format: pairs
        const v = mean(samples.map(([, , , V]) => V));
        fc.pre(Math.abs(s + v) > 1e-2 && Math.abs(share - 1) > 1e-3);
        const last = ((s + v) * 0.01 ** 2) / (4 * 0.99 * Math.max(...samples.map(([, A]) => A)));
        const j2 = papoAt(samples, Math.abs(last * share)).value - papoAt(samples, voidBound).value;
        expect(j2 / 7).toBeCloseTo(s + v > 0 && share < 1 ? s * s + 2 * v * s : 0, 3);
      }),
      { numRuns: 16, seed: 24 },
    );
  });

  it("falls as omega1 grows where no TD error or value is negative and no ratio below 1", () => {
    const gaining = minibatch({ r: evenly(1, 3), d: evenly(0.1, 2), V: evenly(0, 1) });
    fc.assert(
      fc.property(gaining, evenly(0, 0.4), evenly(0.5, 1), (samples, less, more) => {
        const of = (omega1: number): number => papoAt(samples, 0, { omega1, omega2: 0.4 }).value;
        expect(of(more)).toBeLessThan(of(less));
      }),
      { numRuns: 10, seed: 25 },
    );
  });

  it("falls as omega2 grows where the TD errors are positive, and rises where they are negative", () => {
    const gaining = minibatch({ r: evenly(0.1, 3), A: fc.constant(0), d: evenly(0.1, 2) });
    fc.assert(
      fc.property(gaining, evenly(0, 0.4), evenly(0.5, 1), (samples, less, more) => {
        const losing = samples.map(([r, A, d, V]): Sample => [r, A, -d, V]);
        const of = (all: Sample[], omega2: number): number => papoAt(all, 0, { omega1: 0.3, omega2 }).value;
        expect(of(samples, more)).toBeLessThan(of(samples, less));
        expect(of(losing, more)).toBeGreaterThan(of(losing, less));
      }),
      { numRuns: 10, seed: 26 },
    );
  });

  it("and its slopes are finite for every ratio that the loss lets through, and every gamma below 1", () => {
    const wide = evenly(-1e3, 1e3);
    const samples = minibatch({ r: evenly(-20, 20).map(Math.exp), A: wide, d: wide, V: wide });
    const gammas = fc.constantFrom(0.9, 0.999, 1 - 1e-9, 1 - Number.EPSILON / 2);
    fc.assert(
      fc.property(samples, gammas, fc.constantFrom(0, 1e-9, 1, 1e9), (some, gamma, kl) => {
        const { value, slopes } = papoAt([...some, risen], kl, { gamma });
        expect([value, ...slopes].filter((x) => !Number.isFinite(x))).toEqual([]);
      }),
      { numRuns: 20, seed: 27 },
    );
  });
});
