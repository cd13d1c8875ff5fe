import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import { type LossTerms, minibatchLoss, type PolicyOutput } from "../../learner/loss.ts";
import { loadTensorFlow, type Tensor, type TensorFlow } from "../../learner/tensorflow.ts";
import type { UpdateSettings } from "../../learner/update.ts";
import { evenly } from "../evenly.ts";
import { categoricalNetwork, gaussianNetwork, updateSettings } from "./updateCases.ts";

let tf: TensorFlow;
const gaussian = gaussianNetwork(1, [], 1);
const categorical = categoricalNetwork(1, [], 2);
beforeAll(() => {
  tf = loadTensorFlow({ device: "cpu", onednn: "off", threads: 1, network: gaussian });
});

interface Sample {
  readonly logRatio?: number; // of the sampled action
  readonly advantage?: number;
  readonly value?: number;
  readonly oldValue?: number;
  readonly target?: number;
}
/** Samples of the standard normal at its mean, where log pi = -ln(2 pi)/2. */
function lossOf(samples: readonly Sample[], changes: Partial<UpdateSettings>): Record<keyof LossTerms, number> {
  const column = (of: (sample: Sample) => number) => tf.tensor1d(Float32Array.from(samples, of));
  const output: PolicyOutput = {
    policy: tf.zeros([samples.length, 1]),
    value: column((s) => s.value ?? 0),
    logStd: tf.zeros([1]),
  };
  const settings = updateSettings(gaussian, samples.length, {
    algo: "ppo",
    normalizeAdvantages: false,
    entropyCoef: 0,
    ...changes,
  });
  return numbersOf(
    minibatchLoss(tf, settings, output, {
      observations: tf.zeros([samples.length, 1]),
      actions: tf.zeros([samples.length, 1]),
      logProbs: column((s) => -0.5 * Math.log(2 * Math.PI) - (s.logRatio ?? 0)),
      advantages: column((s) => s.advantage ?? 0),
      returns: column((s) => s.target ?? 0),
      values: column((s) => s.oldValue ?? 0),
    }),
  );
}
const numbersOf = (terms: LossTerms) =>
  Object.fromEntries(Object.entries(terms).map(([name, t]) => [name, t.dataSync()[0]])) as Record<
    keyof LossTerms,
    number
  >;

it("clips PPO's ratio on the side that would gain", () => {
  const r = Math.log(1.5);
  expect(lossOf([{ logRatio: r, advantage: 2 }], { clip: 0.2 }).policyLoss).toBeCloseTo(-1.2 * 2, 6);
  expect(lossOf([{ logRatio: r, advantage: -2 }], { clip: 0.2 }).policyLoss).toBeCloseTo(1.5 * 2, 6);
  expect(lossOf([{ logRatio: -r, advantage: -3 }], { clip: 0.2 }).policyLoss).toBeCloseTo(0.8 * 3, 6);
});

it("takes the worse of the plain and the clipped value error, halved", () => {
  // V_old = 0, V = 1, clip 0.25: clipped V = 0.25. Target 2: errors 1 and 3.0625. Target 0: errors 1 and 0.0625.
  const far = { value: 1, oldValue: 0, target: 2 };
  const near = { value: 1, oldValue: 0, target: 0 };
  expect(lossOf([far], { valueClip: 0.25 }).valueLoss).toBeCloseTo(0.5 * 3.0625, 6);
  expect(lossOf([near], { valueClip: 0.25 }).valueLoss).toBeCloseTo(0.5, 6);
  expect(lossOf([far, near], { valueClip: null }).valueLoss).toBeCloseTo(0.5, 6);
});

it("adds the terms by their coefficients", () => {
  const sample = { advantage: 1, value: 2, target: 0 };
  const { loss, entropy } = lossOf([sample], { valueClip: null, valueCoef: 0.25, entropyCoef: 0.1 });
  expect(entropy).toBeCloseTo(0.5 * Math.log(2 * Math.PI * Math.E), 6);
  expect(loss).toBeCloseTo(-1 + 0.25 * 0.5 * 4 - 0.1 * entropy, 5);
});

it("normalises advantages to mean 0 and unbiased standard deviation 1", () => {
  // 1, 2, 6: mean 3, deviations -2, -1, 3, unbiased variance 7; weighted by ratios 2, 1, 1: -mean(r A) = (4 + 1 - 3)/(3 sqrt 7)
  const samples = [{ advantage: 1, logRatio: Math.log(2) }, { advantage: 2 }, { advantage: 6 }];
  expect(lossOf(samples, { normalizeAdvantages: true }).policyLoss).toBeCloseTo(2 / (3 * Math.sqrt(7)), 5);
});

it("reports approximate KL, clip fraction and the range of ratios", () => {
  const ratios = [0.5, 1, 1.1, 2];
  const terms = lossOf(
    ratios.map((r) => ({ logRatio: Math.log(r) })),
    { clip: 0.2 },
  );
  expect(terms.approxKl).toBeCloseTo(ratios.reduce((sum, r) => sum + r - 1 - Math.log(r), 0) / 4, 6);
  expect(terms.clipFraction).toBe(0.5);
  expect([terms.ratioMin, terms.ratioMax]).toEqual([expect.closeTo(0.5, 6), expect.closeTo(2, 6)]);
});

const clips = fc.integer({ min: 1, max: 9 }).map((tenths) => tenths / 10);

it("counts into PPO's clip fraction exactly the samples with |r - 1| > clip, whatever their advantage", () => {
  const ratios = fc.array(fc.tuple(evenly(0, 3), evenly(-5, 5)), { minLength: 1, maxLength: 100, size: "max" });
  fc.assert(
    fc.property(ratios, clips, (samples, clip) => {
      const batch = samples.map(([r, advantage]) => ({ logRatio: Math.log(r), advantage }));
      const { clipFraction } = tf.tidy(() => lossOf(batch, { clip }));
      const outside = samples.filter(([r]) => Math.abs(r - 1) > clip);
      expect(clipFraction * samples.length).toBeCloseTo(outside.length, 4);
    }),
    { numRuns: 20, seed: 31 },
  );
});

it("has at ratio 1 the policy gradient's own gradient with PPO's objective, whatever the clip", () => {
  const samples = fc.array(fc.tuple(evenly(-3, 3), evenly(-5, 5)), { minLength: 2, maxLength: 50, size: "max" });
  fc.assert(
    fc.property(samples, clips, (actionsAndAdvantages, clip) => {
      const column = (i: 0 | 1) => tf.tensor1d(actionsAndAdvantages.map((pair) => pair[i]));
      const gradient = (algo: "ppo" | "a2c"): number[] => {
        const settings = updateSettings(gaussian, actionsAndAdvantages.length, { algo, clip });
        const actions = column(0);
        const zeros = tf.zerosLike(actions);
        const policyLoss = (policy: Tensor): Tensor =>
          minibatchLoss(
            tf,
            settings,
            { policy, value: zeros, logStd: tf.zeros([1]) },
            {
              observations: zeros,
              actions: tf.reshape(actions, [-1, 1]),
              logProbs: tf.sub(-0.5 * Math.log(2 * Math.PI), tf.mul(0.5, tf.square(actions))),
              advantages: column(1),
              returns: zeros,
              values: zeros,
            },
          ).policyLoss;
        return [
          ...tf
            .grad(policyLoss)(tf.reshape(zeros, [-1, 1]))
            .dataSync(),
        ];
      };
      const [ppo, policyGradient] = tf.tidy(() => [gradient("ppo"), gradient("a2c")]);
      expect(ppo).toEqual(policyGradient!.map((x) => expect.closeTo(x, 5)));
    }),
    { numRuns: 15, seed: 32 },
  );
});

it("counts ANO's clip fraction by the half-width of each sample's side", () => {
  const samples = [
    { logRatio: Math.log(1.25), advantage: 1 },
    { logRatio: Math.log(1.25), advantage: -1 },
  ];
  expect(lossOf(samples, { algo: "ano", epsPos: 0.3, epsNeg: 0.2 }).clipFraction).toBe(0.5);
});

it("clamps the log-ratio to ±20: finite where the ratio would overflow float32", () => {
  for (const logRatio of [-1e4, 1e4])
    for (const algo of ["ano", "ppo"] as const)
      for (const number of Object.values(lossOf([{ logRatio, advantage: -1 }, { advantage: 1 }], { algo })))
        expect(Number.isFinite(number)).toBe(true);
});

it("takes a categorical policy's log-probability and entropy from its logits, however large", () => {
  // logits ln 3, 0: probabilities 3/4, 1/4
  const settings = updateSettings(categorical, 2, { algo: "ppo", normalizeAdvantages: false, clip: 0.9 });
  const zeros = tf.zeros([2]);
  const logits = [Math.log(3), 0].map((x) => x + 1000);
  const output = { policy: tf.tensor2d([logits, logits]), value: zeros, logStd: null };
  const terms = numbersOf(
    minibatchLoss(tf, settings, output, {
      observations: zeros,
      actions: tf.tensor1d([0, 1], "int32"),
      logProbs: tf.fill([2], Math.log(0.5)), // ratios 1.5 and 0.5
      advantages: tf.tensor1d([1, 0]),
      returns: zeros,
      values: zeros,
    }),
  );
  expect(terms.policyLoss).toBeCloseTo(-0.5 * 1.5, 3);
  expect([terms.ratioMin, terms.ratioMax]).toEqual([expect.closeTo(0.5, 3), expect.closeTo(1.5, 3)]);
  expect(terms.entropy).toBeCloseTo(-0.75 * Math.log(0.75) - 0.25 * Math.log(0.25), 4);
});
