import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import { ano } from "../../../learner/objectives/ano.ts";
import { gano, grpo } from "../../../learner/objectives/groupRelative.ts";
import { ppo } from "../../../learner/objectives/ppo.ts";
import { loadTensorFlow, type TensorFlow } from "../../../learner/tensorflow.ts";
import { evenly } from "../../evenly.ts";
import { gaussianNetwork, objectiveSettings, samplesAt } from "../updateCases.ts";

let tf: TensorFlow;
beforeAll(() => {
  tf = loadTensorFlow({ device: "cpu", onednn: "off", threads: 1, network: gaussianNetwork(1, [], 1) });
});

/** beta k3 of one sample whose ln pi_ref / pi is d: what GRPO's objective lacks to PPO's. */
function penalty(d: number, referenceKlCoef: number): number {
  return tf.tidy(() => {
    const samples = samplesAt(tf, tf.tensor1d([0]), tf.tensor1d([0]), { referenceLogRatio: tf.tensor1d([d]) });
    return -grpo.perSample(tf, samples, { ...objectiveSettings, referenceKlCoef }).dataSync()[0]!;
  });
}

it("takes beta (exp(d) - 1 - d) away", () => {
  // d = ln 2: 2 - 1 - 0.693147 = 0.306853; d = -1: 0.367879 - 1 + 1
  expect(penalty(Math.LN2, 1)).toBeCloseTo(0.306853, 6);
  expect(penalty(-1, 1)).toBeCloseTo(0.367879, 6);
  expect(penalty(-1, 0.04)).toBeCloseTo(0.04 * 0.367879, 7);
});

it("takes nothing away where the policies agree, and never adds", () => {
  expect(Math.abs(penalty(0, 1))).toBe(0);
  fc.assert(
    fc.property(evenly(-20, 20), (d) => {
      expect(penalty(d, 1)).toBeGreaterThanOrEqual(0);
    }),
  );
});

it("is PPO's objective, or ANO's, with the same half-widths, where beta is 0", () => {
  const settings = { ...objectiveSettings, referenceKlCoef: 0 };
  const ratios = tf.tensor1d([-0.5, -0.1, 0, 0.3, 2]);
  for (const advantage of [1.5, -0.7])
    for (const [held, free] of [
      [grpo, ppo],
      [gano, ano],
    ] as const) {
      const advantages = tf.fill([5], advantage);
      const samples = samplesAt(tf, ratios, advantages, { referenceLogRatio: tf.tensor1d([3, -3, 0, 1, 9]) });
      expect(held.perSample(tf, samples, settings).dataSync()).toEqual(
        free.perSample(tf, samples, settings).dataSync(),
      );
      expect(held.halfWidth!(tf, advantages, settings).dataSync()).toEqual(
        free.halfWidth!(tf, advantages, settings).dataSync(),
      );
    }
});

it("pulls towards the reference: the slope in ln pi is beta (exp(d) - 1)", () => {
  const settings = { ...objectiveSettings, referenceKlCoef: 2 };
  const slope = tf.grad((logProb) => {
    const referenceLogRatio = tf.sub(tf.tensor1d([Math.LN2, -1]), logProb); // ln pi_ref is fixed
    return tf.sum(
      gano.perSample(tf, samplesAt(tf, tf.zeros([2]), tf.zeros([2]), { logProb, referenceLogRatio }), settings),
    );
  })(tf.zeros([2]));
  expect([...slope.dataSync()]).toEqual([expect.closeTo(2, 5), expect.closeTo(2 * (Math.exp(-1) - 1), 5)]);
});
