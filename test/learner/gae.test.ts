import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { generalizedAdvantages } from "../../learner/gae.ts";

const oneStep = {
  steps: 1,
  batch: 1,
  rewards: Float32Array.of(2),
  values: Float32Array.of(1),
  nextValues: Float32Array.of(4),
};
const yes = Uint8Array.of(1);
const no = Uint8Array.of(0);

describe("generalizedAdvantages", () => {
  it("adds up two steps by hand", () => {
    // γ = λ = 0.5; δ_1 = 3 + 0.5·0 − 2 = 1; δ_0 = 1 + 0.5·2 − 1 = 1; A_0 = 1 + 0.25·1 = 1.25; R = A + V
    const x = {
      steps: 2,
      batch: 1,
      rewards: Float32Array.of(1, 3),
      values: Float32Array.of(1, 2),
      nextValues: Float32Array.of(2, 0),
      terminated: Uint8Array.of(0, 0),
      truncated: Uint8Array.of(0, 0),
    };
    const { advantages, returns } = generalizedAdvantages(x, 0.5, 0.5);
    expect([...advantages]).toEqual([1.25, 1]);
    expect([...returns]).toEqual([2.25, 3]);
  });

  it("bootstraps through truncation but not through termination", () => {
    // γ = 0.5: A = 2 + 0.5·4 − 1 = 3 when truncated, 2 + 0 − 1 = 1 when terminated
    const truncated = generalizedAdvantages({ ...oneStep, terminated: no, truncated: yes }, 0.5, 0.9);
    const ended = generalizedAdvantages({ ...oneStep, terminated: yes, truncated: no }, 0.5, 0.9);
    expect([truncated.advantages[0], ended.advantages[0]]).toEqual([3, 1]);
  });

  it("carries no advantage over the end of an episode, whichever end", () => {
    for (const end of ["terminated", "truncated"] as const) {
      const x = {
        steps: 2,
        batch: 1,
        rewards: Float32Array.of(1, 1000),
        values: Float32Array.of(0, 0),
        nextValues: Float32Array.of(0, 0),
        terminated: Uint8Array.of(0, 0),
        truncated: Uint8Array.of(0, 0),
        [end]: Uint8Array.of(1, 0),
      };
      expect(generalizedAdvantages(x, 1, 1).advantages[0]).toBe(1);
    }
  });

  it("is the one-step TD error at λ = 0 and the discounted return less V at λ = 1", () => {
    const x = {
      steps: 3,
      batch: 1,
      rewards: Float32Array.of(1, 2, 4),
      values: Float32Array.of(8, 16, 32),
      nextValues: Float32Array.of(16, 32, 0),
      terminated: Uint8Array.of(0, 0, 1),
      truncated: Uint8Array.of(0, 0, 0),
    };
    expect(generalizedAdvantages(x, 0.5, 0).advantages[0]).toBe(1 + 0.5 * 16 - 8);
    expect(generalizedAdvantages(x, 0.5, 1).advantages[0]).toBe(1 + 0.5 * 2 + 0.25 * 4 - 8);
  });

  it("meets the golden values", () => {
    const cases: GoldenCase[] = JSON.parse(readFileSync(new URL("../golden/gae.json", import.meta.url), "utf8"));
    expect(cases.length).toBeGreaterThan(0);
    for (const golden of cases) {
      const steps = golden.rewards.length;
      const batch = golden.rewards[0]!.length;
      const x = {
        steps,
        batch,
        rewards: Float32Array.from(golden.rewards.flat()),
        values: Float32Array.from(golden.values.flat()),
        nextValues: Float32Array.from(golden.nextValues.flat()),
        terminated: Uint8Array.from(golden.terminated.flat()),
        truncated: Uint8Array.from(golden.truncated.flat()),
      };
      const { advantages, returns } = generalizedAdvantages(x, golden.gamma, golden.lambda_);
      golden.advantages.flat().forEach((want, i) => void expect(advantages[i]).toBeCloseTo(want, 5));
      golden.returns.flat().forEach((want, i) => void expect(returns[i]).toBeCloseTo(want, 5));
    }
  });

  it("names the field whose length is wrong, with both lengths", () => {
    const bad = { ...oneStep, nextValues: new Float32Array(3), terminated: no, truncated: no };
    expect(() => generalizedAdvantages(bad, 0.9, 0.9)).toThrow("nextValues has 3 elements, expected 1");
  });
});

interface GoldenCase {
  readonly gamma: number;
  readonly lambda_: number;
  readonly rewards: number[][];
  readonly values: number[][];
  readonly nextValues: number[][];
  readonly terminated: number[][];
  readonly truncated: number[][];
  readonly advantages: number[][];
  readonly returns: number[][];
}
