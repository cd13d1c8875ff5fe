import { describe, expect, it } from "vitest";
import { RewardScaling } from "../../learner/rewardScaling.ts";
import { foldBatch, initialMoments } from "../../learner/runningMoments.ts";

const oneWave = { steps: 2, environments: Int32Array.of(0, 1), waves: [Int32Array.of(0, 1)] };
const none = new Uint8Array(4);

describe("reward scaling", () => {
  it("divides by the running deviation of the discounted return, step by step", () => {
    // γ = 0.5; step 0: G = (1, 2); step 1: G = (0.5 + 3, 1 + 4) = (3.5, 5)
    const scaling = RewardScaling.initial(0.5, 10, 2);
    const rewards = Float32Array.of(1, 2, 3, 4);
    const scaled = scaling.scale({ ...oneWave, rewards, terminated: none, truncated: none });
    const first = foldBatch(initialMoments(1), Float64Array.of(1, 2));
    const second = foldBatch(first, Float64Array.of(3.5, 5));
    const [std0, std1] = [first, second].map(({ variance }) => Math.sqrt(variance[0]! + 1e-8)) as [number, number];
    expect([...scaled]).toEqual([1 / std0, 2 / std0, 3 / std1, 4 / std1].map(Math.fround));
    expect([...scaling.state.returns]).toEqual([3.5, 5]);
  });

  it("starts G anew after a terminated and after a truncated episode", () => {
    const scaling = RewardScaling.initial(0.5, 10, 2);
    const rewards = Float32Array.of(1, 2, 3, 4);
    const terminated = Uint8Array.of(1, 0, 0, 0);
    const truncated = Uint8Array.of(0, 1, 0, 0);
    scaling.scale({ ...oneWave, rewards, terminated, truncated });
    expect([...scaling.state.returns]).toEqual([3, 4]);
  });

  it("clips", () => {
    const scaling = RewardScaling.initial(0.99, 0.25, 2);
    const rewards = Float32Array.of(100, -100, 0, 0);
    const scaled = scaling.scale({ ...oneWave, rewards, terminated: none, truncated: none });
    expect([scaled[0], scaled[1]]).toEqual([0.25, -0.25]);
  });

  it("continues from its state exactly", () => {
    const rounds = [1, 2, 3].map((k) => ({
      ...oneWave,
      rewards: Float32Array.of(k, -k, 2 * k, 0.5),
      terminated: Uint8Array.of(0, 0, k === 2 ? 1 : 0, 0),
      truncated: none,
    }));
    const straight = RewardScaling.initial(0.9, 10, 2);
    const all = rounds.map((round) => straight.scale(round));
    const before = RewardScaling.initial(0.9, 10, 2);
    before.scale(rounds[0]!);
    const after = new RewardScaling(0.9, 10, before.state);
    expect(after.scale(rounds[1]!)).toEqual(all[1]);
    expect(after.scale(rounds[2]!)).toEqual(all[2]);
  });

  it("runs an EnvBatch's second rollout in the same round after its first", () => {
    // columns 0 and 1 are the same environment, one after the other: as two rounds of one column
    const twice = { steps: 2, environments: Int32Array.of(0, 0), waves: [Int32Array.of(0), Int32Array.of(1)] };
    const scaling = RewardScaling.initial(0.5, 10, 1);
    const both = scaling.scale({ ...twice, rewards: Float32Array.of(1, 3, 2, 4), terminated: none, truncated: none });
    const apart = RewardScaling.initial(0.5, 10, 1);
    const single = { steps: 2, environments: Int32Array.of(0), waves: [Int32Array.of(0)] };
    const zeros = new Uint8Array(2);
    const first = apart.scale({ ...single, rewards: Float32Array.of(1, 2), terminated: zeros, truncated: zeros });
    const second = apart.scale({ ...single, rewards: Float32Array.of(3, 4), terminated: zeros, truncated: zeros });
    expect([...both]).toEqual([first[0], second[0], first[1], second[1]]);
  });

  it("refuses rewards of the wrong length, and statistics that become infinite", () => {
    const scaling = RewardScaling.initial(0.99, 10, 2);
    const bad = { ...oneWave, rewards: new Float32Array(3), terminated: none, truncated: none };
    expect(() => scaling.scale(bad)).toThrow("rewards has 3 elements, expected 4");
    const infinite = { ...bad, rewards: Float32Array.of(1, Number.POSITIVE_INFINITY, 0, 0) };
    expect(() => scaling.scale(infinite)).toThrow(/NUMERIC.*rewards/);
  });
});
