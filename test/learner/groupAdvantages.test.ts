import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { groupAdvantages } from "../../learner/groupAdvantages.ts";
import { evenly } from "../evenly.ts";

/** Time-major rounds of columns that last `steps`, whose first episode ends after `ends[b]` steps. */
function round(steps: number, rewards: readonly (readonly number[])[], ends: readonly (number | null)[] = []) {
  const batch = rewards.length;
  const terminated = new Uint8Array(steps * batch);
  for (const [b, end] of ends.entries()) if (end !== null) terminated[(end - 1) * batch + b] = 1;
  return {
    steps,
    batch,
    rewards: Float32Array.from({ length: steps * batch }, (_, i) => rewards[i % batch]![Math.floor(i / batch)]!),
    terminated,
    truncated: new Uint8Array(steps * batch),
  };
}
const column = (array: Float32Array, batch: number, b: number): number[] => [
  ...array.filter((_, i) => i % batch === b),
];

it("weighs every step by its column's return against its group's: (R - mean) / std, unbiased", () => {
  // R = 3 and 1: mean 2, std sqrt((1 + 1) / 1) = 1.41421; the other group 10 and 30: the same advantages, turned round
  const { advantages, returns, flat, used } = groupAdvantages(round(2, [[1, 2], [1, 0], [5, 5], [10, 20]]), 1, 2); // biome-ignore format: columns
  const half = expect.closeTo(Math.SQRT1_2, 6);
  const less = expect.closeTo(-Math.SQRT1_2, 6);
  expect([...advantages]).toEqual([half, less, less, half, half, less, less, half]);
  expect([...returns]).toEqual([3, 1, 10, 30, 3, 1, 10, 30]);
  expect([flat, used]).toEqual([0, 1]);
});

it("discounts from the start: R = r_0 + gamma r_1", () => {
  const { returns } = groupAdvantages(round(2, [[1, 2], [0, 8]]), 0.5, 2); // biome-ignore format: columns
  expect([...returns]).toEqual([2, 4, 2, 4]);
});

describe("an end within the rollout", () => {
  const rewards = [[1, 1, 9, 9], [1, 1, 1, 1]]; // biome-ignore format: columns

  it("ends the return, and the steps after it are weighed by nothing", () => {
    const ended = groupAdvantages(round(4, rewards, [2, null]), 1, 2);
    expect(column(ended.returns, 2, 0)).toEqual([2, 2, 2, 2]);
    const [a, b] = [expect.closeTo(-Math.SQRT1_2, 6), expect.closeTo(Math.SQRT1_2, 6)];
    expect(column(ended.advantages, 2, 0)).toEqual([a, a, 0, 0]);
    expect(column(ended.advantages, 2, 1)).toEqual([b, b, b, b]);
    expect(ended.used).toBe(6 / 8);
  });

  it("is the same where a limit cut it off: nothing is known of what lies beyond", () => {
    const terminated = round(4, rewards, [2, null]);
    const truncated = { ...terminated, terminated: terminated.truncated, truncated: terminated.terminated };
    expect(groupAdvantages(truncated, 1, 2)).toEqual(groupAdvantages(terminated, 1, 2));
  });

  it("counts once: a second one changes nothing", () => {
    const once = round(4, rewards, [2, null]);
    const twice = round(4, rewards, [2, null]);
    twice.terminated[3 * 2] = 1;
    expect(groupAdvantages(twice, 1, 2)).toEqual(groupAdvantages(once, 1, 2));
  });
});

const group = fc.array(evenly(-50, 50), { minLength: 2, maxLength: 9 });
const of = (returns: readonly number[]): number[] => [
  ...groupAdvantages(round(1, returns.map((r) => [r])), 1, returns.length).advantages, // biome-ignore format: one line
];
const spread = (returns: readonly number[]): number => Math.max(...returns) - Math.min(...returns);

describe("advantages of a group", () => {
  it("are exactly 0 where all returns are equal, whatever they are", () => {
    fc.assert(
      fc.property(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.integer({ min: 2, max: 12 }), (r, size) => {
        const { advantages, flat } = groupAdvantages(round(3, Array(size).fill([r, r / 3, 0.1])), 0.9, size);
        expect([...new Set(advantages)]).toEqual([0]);
        expect(flat).toBe(1);
      }),
    );
  });

  it("do not change with a shift or a positive scale of the returns, and change sign with a negative one", () => {
    fc.assert(
      fc.property(
        group.filter((returns) => spread(returns) > 0.5),
        evenly(-100, 100),
        evenly(0.1, 100),
        (returns, shift, scale) => {
          const plain = of(returns);
          const moved = of(returns.map((r) => scale * r + shift));
          const turned = of(returns.map((r) => -r));
          plain.forEach((advantage, i) => {
            expect(moved[i]).toBeCloseTo(advantage, 3); // rewards are float32
            expect(turned[i]).toBeCloseTo(-advantage, 6);
          });
        },
      ),
      { seed: 51 },
    );
  });

  it("have mean 0 and unbiased std 1, and lie within ±(G - 1) / sqrt(G)", () => {
    fc.assert(
      fc.property(
        group.filter((returns) => spread(returns) > 0.5),
        (returns) => {
          const advantages = of(returns);
          const size = advantages.length;
          expect(advantages.reduce((sum, a) => sum + a, 0)).toBeCloseTo(0, 5);
          expect(advantages.reduce((sum, a) => sum + a * a, 0) / (size - 1)).toBeCloseTo(1, 4);
          for (const a of advantages) expect(Math.abs(a)).toBeLessThanOrEqual((size - 1) / Math.sqrt(size) + 1e-5);
        },
      ),
    );
  });

  it("are no business of other groups", () => {
    const both = groupAdvantages(round(1, [[1], [2], [100], [7]]), 1, 2).advantages;
    expect([...both.subarray(0, 2)]).toEqual(of([1, 2]));
    expect([...both.subarray(2)]).toEqual(of([100, 7]));
  });
});

it("arrays of the wrong length and groups that do not fill the columns are named", () => {
  const good = round(2, [[1, 2], [1, 0], [3, 3]]); // biome-ignore format: columns
  expect(() => groupAdvantages({ ...good, truncated: new Uint8Array(5) }, 1, 3)).toThrow(
    "truncated has 5 elements, expected 6.",
  );
  expect(() => groupAdvantages(good, 1, 2)).toThrow("the last group has 1 elements, expected 2.");
});
