import { expect, it } from "vitest";
import { discountedReturns } from "../../learner/discountedReturns.ts";
import { temporalDifferences } from "../../learner/gae.ts";

const column = (...x: number[]): Float32Array => Float32Array.from(x);
const none = new Uint8Array(3);

it("sums discounted rewards to the rollout's end: 1 + 0.5 (2 + 0.5 * 4) = 3", () => {
  const x = { steps: 3, batch: 1, rewards: column(1, 2, 4), terminated: none, truncated: none };
  expect([...discountedReturns(x, 0.5)]).toEqual([3, 4, 4]);
});

it.each(["terminated", "truncated"] as const)("begins anew after a step that is %s", (how) => {
  const ended = { terminated: none, truncated: none, [how]: Uint8Array.of(0, 1, 0) };
  expect([...discountedReturns({ steps: 3, batch: 1, rewards: column(1, 2, 4), ...ended }, 0.5)]).toEqual([2, 2, 4]);
});

it("keeps environments apart", () => {
  const two = new Uint8Array(4);
  const x = { steps: 2, batch: 2, rewards: column(1, 10, 2, 20), terminated: two, truncated: two };
  expect([...discountedReturns(x, 0.5)]).toEqual([2, 20, 2, 20]);
});

it("names a field of the wrong length with both lengths", () => {
  const x = { steps: 2, batch: 1, rewards: column(1, 2, 3), terminated: none, truncated: none };
  expect(() => discountedReturns(x, 0.5)).toThrow("rewards has 3 elements, expected 2.");
});

it("one-step TD errors bootstrap through truncation but not through termination", () => {
  // gamma 0.5, V = 1, V' = 4, r = 2: 2 + 0.5 * 4 - 1 = 3, or 2 - 1 = 1 where the next state is terminal
  const x = { steps: 3, batch: 1, rewards: column(2, 2, 2), values: column(1, 1, 1), nextValues: column(4, 4, 4) };
  const ended = { terminated: Uint8Array.of(0, 1, 0), truncated: Uint8Array.of(0, 0, 1) };
  expect([...temporalDifferences({ ...x, ...ended }, 0.5)]).toEqual([3, 1, 3]);
});
