import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generalizedAdvantages } from "../../learner/gae.ts";
import { objectives } from "../../learner/objectives/registry.ts";
import { updateSettings } from "../../learner/roundTrainer.ts";
import { loadTensorFlow, type Tensor } from "../../learner/tensorflow.ts";
import { importanceWeighted, type VtraceInput, vtrace } from "../../learner/vtrace.ts";
import { evenly } from "../evenly.ts";
import { armRun } from "./trainingRounds.ts";
import { categoricalNetwork, objectiveSettings, samplesAt } from "./updateCases.ts";

const column = (...x: number[]): Float32Array => Float32Array.from(x);
const none = new Uint8Array(2);
const plain = { gamma: 0.5, rhoBar: 1, cBar: 1 };
/** Two steps: rewards 1 and 2, V = 1 and 2, V' = 2 and 4; the actions twice and half as likely now. */
const two: VtraceInput = {
  steps: 2,
  batch: 1,
  rewards: column(1, 2),
  values: column(1, 2),
  nextValues: column(2, 4),
  terminated: none,
  truncated: none,
  logRatios: column(Math.log(2), Math.log(0.5)),
};

it("bounds weights and traces: by hand", () => {
  // delta = 1 + 0.5 * 2 - 1 = 1 and 2 + 0.5 * 4 - 2 = 2; rho = c = 1 and 0.5
  // v_1 = 2 + 0.5 * 2 = 3; v_0 = 1 + 1 * 1 + 0.5 * 1 * (3 - 2) = 2.5; A_0 = 1 + 0.5 * 3 - 1 = 1.5, A_1 = 2 + 0.5 * 4 - 2 = 2
  const { advantages, returns } = vtrace(two, plain);
  expect([...returns]).toEqual([2.5, 3]);
  expect([...advantages]).toEqual([1.5, 2]);
});

it("lets a ratio of 2 through where rhoBar is 4", () => {
  // v_0 = 1 + 2 * 1 + 0.5 * 1 * 1 = 3.5
  expect(vtrace(two, { ...plain, rhoBar: 4 }).returns[0]).toBe(3.5);
});

describe("for an objective without a ratio of its own", () => {
  const given = { advantages: column(1.5, 2), logRatios: two.logRatios };

  it("advantages are weighed by rho", () => {
    const weighed = (rhoBar: number) => [...importanceWeighted(given, { rhoBar, normalize: false })];
    expect(weighed(1)).toEqual([1.5, 1]); // ratios 2 and 0.5, the first bounded by 1
    expect(weighed(4)).toEqual([3, 1]);
  });

  it("and normalised before: what the policy has dropped weighs nothing, whatever the mean is", () => {
    // 1.5 and 2: mean 1.75, unbiased std sqrt(2 * 0.25^2) = 0.353553; -0.707107 * 1 and 0.707107 * 0.5
    const weighed = importanceWeighted(given, { rhoBar: 1, normalize: true });
    expect(weighed[0]).toBeCloseTo(-Math.SQRT1_2, 6);
    expect(weighed[1]).toBeCloseTo(Math.SQRT1_2 / 2, 6);
    const dropped = { advantages: column(5, -1, 2), logRatios: column(0, 0, -40) };
    expect(Math.abs(importanceWeighted(dropped, { rhoBar: 1, normalize: true })[2]!)).toBeLessThan(1e-16);
  });

  it("a run normalises them nowhere else", () => {
    const off = updateSettings(armRun({ algo: "a2c", epochs: 1, vtrace: true })).normalizeAdvantages;
    const onPolicy = updateSettings(armRun({ algo: "a2c", epochs: 1 })).normalizeAdvantages;
    const withRatio = updateSettings(armRun({ algo: "ppo", vtrace: true })).normalizeAdvantages;
    expect([off, onPolicy, withRatio]).toEqual([false, true, true]);
  });
});

it("cuts at the end of an episode: bootstraps through truncation but not through termination", () => {
  const truncated = vtrace({ ...two, truncated: Uint8Array.of(1, 0) }, plain);
  expect([truncated.advantages[0], truncated.returns[0]]).toEqual([1, 2]);
  const terminated = vtrace({ ...two, terminated: Uint8Array.of(1, 0) }, plain);
  expect([terminated.advantages[0], terminated.returns[0]]).toEqual([0, 1]);
});

describe("on policy", () => {
  it("is GAE with lambda 1, whatever the episodes' ends", () => {
    const six = fc.array(evenly(-5, 5), { minLength: 6, maxLength: 6 });
    const ends = fc.array(fc.constantFrom(0, 1), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(six, six, six, ends, ends, (rewards, values, nextValues, terminated, truncated) => {
        // within an episode the next value is the value of the next step
        const next = nextValues.map((v, i) => (i < 4 && !terminated[i] && !truncated[i] ? values[i + 2]! : v));
        const x = {
          steps: 3,
          batch: 2,
          rewards: column(...rewards),
          values: column(...values),
          nextValues: column(...next),
          terminated: Uint8Array.from(terminated),
          truncated: Uint8Array.from(truncated),
        };
        const want = generalizedAdvantages(x, 0.9, 1);
        const got = vtrace({ ...x, logRatios: new Float32Array(6) }, { ...plain, gamma: 0.9 });
        for (const field of ["advantages", "returns"] as const)
          got[field].forEach((value, i) => {
            expect(value).toBeCloseTo(want[field][i]!, 4);
          });
      }),
      { seed: 41 },
    );
  });
});

describe("against PyTorch, which sums the paper's formulas as they stand (recordVtrace.py)", () => {
  const recorded = JSON.parse(readFileSync(new URL("../golden/torchVtrace.json", import.meta.url), "utf8"));
  const { steps, batch, gamma, rhoBar, cBar, actionCount } = recorded;
  const floats = (name: string) => Float32Array.from(recorded[name] as number[]);
  const x: VtraceInput = {
    steps,
    batch,
    rewards: floats("rewards"),
    values: floats("values"),
    nextValues: floats("nextValues"),
    terminated: Uint8Array.from(recorded.terminated),
    truncated: Uint8Array.from(recorded.truncated),
    logRatios: floats("logRatios"),
  };
  const settings = { gamma, rhoBar, cBar, normalize: false };
  const { returns, advantages } = vtrace(x, settings);
  const got = { returns, advantages: importanceWeighted({ advantages, logRatios: x.logRatios }, settings) };

  it.each(["returns", "advantages"] as const)("the %s agree", (name) => {
    expect(recorded[name].length).toBe(steps * batch);
    got[name].forEach((value, i) => {
      expect(value, `${name}[${i}]`).toBeCloseTo(recorded[name][i], 5);
    });
  });

  it("and so does the gradient of A2C's loss on them: IMPALA's", () => {
    const network = categoricalNetwork(4, [4], actionCount);
    const tf = loadTensorFlow({ device: "cpu", onednn: "off", threads: 1, network });
    const chosen = tf.oneHot(tf.tensor1d(recorded.actions, "int32"), actionCount);
    const loss = (logits: Tensor): Tensor => {
      const logProb = tf.sum(tf.mul(tf.logSoftmax(logits as Parameters<typeof tf.logSoftmax>[0]), chosen), 1);
      const samples = samplesAt(tf, tf.zerosLike(logProb), tf.tensor1d(got.advantages), { logProb });
      return tf.neg(tf.mean(objectives.a2c.perSample(tf, samples, objectiveSettings)));
    };
    const logits = tf.tensor2d(floats("logits"), [steps * batch, actionCount]);
    expect(loss(logits).dataSync()[0]).toBeCloseTo(recorded.loss, 6);
    tf.grad(loss)(logits)
      .dataSync()
      .forEach((value, i) => {
        expect(value, `gradient[${i}]`).toBeCloseTo(recorded.gradient[i], 7);
      });
  });
});

it("names a field of the wrong length with both lengths", () => {
  expect(() => vtrace({ ...two, logRatios: column(0) }, plain)).toThrow("logRatios has 1 elements, expected 2.");
});
