import { describe, expect, it } from "vitest";
import { ActionSampler } from "../../actor/actionSampler.ts";
import type { Policy } from "../../actor/policy.ts";
import type { EnvironmentSpec } from "../../shared/environment.ts";
import { normalFrom, philox, stream, uniformFrom } from "../../shared/seeds.ts";

type Outputs = Pick<Policy, "preferences" | "logStd">;
const asPolicy = (outputs: Outputs): Policy => outputs as Policy; // the sampler reads these two alone

const continuous = (size: number): EnvironmentSpec["action"] => ({
  kind: "continuous",
  low: new Array(size).fill(-1),
  high: new Array(size).fill(1),
});
const rows = (size: number, row: readonly number[]): Float32Array =>
  Float32Array.from(Array.from({ length: size }, () => row).flat());

/** All environments 0..size-1 at step `step`. */
function sampler(action: EnvironmentSpec["action"], size: number, step: number, extra = {}): ActionSampler {
  const made = new ActionSampler({ action, size, seed: 11, ...extra });
  made.environments.forEach((_, e) => {
    made.environments[e] = e;
  });
  made.steps.fill(step);
  return made;
}

describe("continuous actions", () => {
  it("are mean + std times the normals of the documented Philox blocks", () => {
    const s = sampler(continuous(3), 2, 1000);
    s.sample(asPolicy({ preferences: Float32Array.of(1, 2, 3, 4, 5, 6), logStd: rows(2, [0, -1, 0.5]) }));
    const words = new Uint32Array(4);
    philox(11n, 0, 1, 1000, stream.action, words); // block 0 of environment 1
    const first = normalFrom(uniformFrom(words[0]!, words[1]!), uniformFrom(words[2]!, words[3]!));
    expect(s.actions[3]).toBe(Math.fround(4 + first));
    philox(11n, 1, 1, 1000, stream.action, words); // block 1: dimension 2
    const third = normalFrom(uniformFrom(words[0]!, words[1]!), uniformFrom(words[2]!, words[3]!));
    expect(s.actions[5]).toBe(Math.fround(6 + Math.exp(0.5) * third));
  });

  it("have the moments of the normal distribution", () => {
    const size = 64;
    const s = sampler(continuous(2), size, 0);
    const sums = [0, 0, 0, 0, 0];
    const draws = 400;
    for (let t = 0; t < draws; t++) {
      s.steps.fill(t);
      s.sample(asPolicy({ preferences: rows(size, [1, -1]), logStd: rows(size, [Math.log(2), 0]) }));
      for (let e = 0; e < size; e++) {
        const z0 = (s.actions[2 * e]! - 1) / 2;
        const z1 = s.actions[2 * e + 1]! + 1;
        [z0, z1, z0 * z0, z1 * z1, z0 * z1].forEach((value, i) => {
          sums[i]! += value / (size * draws);
        });
      }
    }
    // 25600 draws: standard errors 0.00625 (means, covariance) and 0.0088 (variances)
    [0, 0, 1, 1, 0].forEach((want, i) => void expect(Math.abs(sums[i]! - want)).toBeLessThan(0.035));
  });

  it("have the log-probability of the float32 action, as the learner computes it in float32", () => {
    const s = sampler(continuous(6), 32, 5);
    const preferences = Float32Array.from({ length: 192 }, (_, i) => Math.sin(i));
    const logStd = rows(32, [0, -0.5, 0.3, -1, -2, 0.1]);
    s.sample(asPolicy({ preferences, logStd }));
    const f = Math.fround;
    for (let e = 0; e < 32; e++) {
      let logProb = f(0);
      for (let a = 0; a < 6; a++) {
        const i = e * 6 + a;
        const z = f(f(s.actions[i]! - preferences[i]!) / f(Math.exp(logStd[i]!)));
        logProb = f(logProb - f(f(f(0.5) * f(z * z)) + f(logStd[i]! + f(0.5 * Math.log(2 * Math.PI)))));
      }
      expect(Math.abs(Math.exp(logProb - s.logProbs[e]!) - 1)).toBeLessThan(1e-5);
    }
  });

  it("do not depend on the batch that they are sampled in", () => {
    const wide = sampler(continuous(3), 8, 77);
    wide.sample(asPolicy({ preferences: rows(8, [1, 2, 3]), logStd: rows(8, [0, 0, 0]) }));
    const single = sampler(continuous(3), 1, 77);
    single.environments[0] = 6;
    single.sample(asPolicy({ preferences: rows(1, [1, 2, 3]), logStd: rows(1, [0, 0, 0]) }));
    expect([...single.actions]).toEqual([...wide.actions.subarray(18, 21)]);
    expect(single.logProbs[0]).toBe(wide.logProbs[6]);
  });

  it("are the mean where deterministic", () => {
    const s = sampler(continuous(2), 1, 0, { deterministic: true });
    s.sample(asPolicy({ preferences: Float32Array.of(0.25, -3), logStd: Float32Array.of(0, 0) }));
    expect([...s.actions]).toEqual([0.25, -3]);
  });

  it("stop the rollout where the policy is not finite", () => {
    const s = sampler(continuous(2), 2, 0);
    const preferences = Float32Array.of(0, 0, Number.NaN, 0);
    expect(() => s.sample(asPolicy({ preferences, logStd: rows(2, [0, 0]) }))).toThrow(/NUMERIC.*environment 1/);
  });
});

describe("discrete actions", () => {
  const action = { kind: "discrete", count: 4 } as const;
  const row = [0.5, -1, 2, Number.NEGATIVE_INFINITY];
  const total = row.reduce((sum, logit) => sum + Math.exp(logit), 0);

  it("come with the probabilities of the softmax and their logarithm", () => {
    const size = 64;
    const draws = 400;
    const s = sampler(action, size, 0);
    const counts = [0, 0, 0, 0];
    for (let t = 0; t < draws; t++) {
      s.steps.fill(t);
      s.sample(asPolicy({ preferences: rows(size, row), logStd: null }));
      for (let e = 0; e < size; e++) {
        const chosen = s.actions[e]!;
        counts[chosen]!++;
        expect(s.logProbs[e]).toBeCloseTo(row[chosen]! - Math.log(total), 6);
      }
    }
    // 25600 draws: a standard error of a share is at most 0.0031
    counts.forEach(
      (count, a) => void expect(Math.abs(count / (size * draws) - Math.exp(row[a]!) / total)).toBeLessThan(0.0125),
    );
    expect(counts[3]).toBe(0);
  });

  it("are the most likely one where deterministic, the first of equals", () => {
    const s = sampler(action, 2, 0, { deterministic: true });
    s.sample(asPolicy({ preferences: Float32Array.of(0, 3, 3, 1, 0, 0, 0, 5), logStd: null }));
    expect([...s.actions]).toEqual([1, 3]);
  });

  it("stop the rollout where a logit is NaN", () => {
    const s = sampler(action, 1, 0);
    expect(() => s.sample(asPolicy({ preferences: Float32Array.of(0, Number.NaN, 0, 0), logStd: null }))).toThrow(
      /NUMERIC.*logits/,
    );
  });
});
