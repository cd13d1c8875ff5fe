import { expect, it } from "vitest";
import { StateCache } from "../../actor/stateCache.ts";

const key = (envBatch: number, round: number, digest = `d${round}`) => ({ envBatch, round, digest });
const state = (value: number): Uint8Array => Uint8Array.of(value);

it("gives a state back for exactly its EnvBatch, round and digest", () => {
  const cache = new StateCache();
  cache.set(key(1, 5), state(7));
  expect(cache.get(key(1, 5))).toEqual(state(7));
  for (const other of [key(2, 5), key(1, 6), key(1, 5, "else")]) expect(cache.get(other)).toBeNull();
});

it("keeps two rounds per EnvBatch, and one state per round", () => {
  const cache = new StateCache();
  for (const round of [1, 2, 3]) cache.set(key(1, round), state(round));
  cache.set(key(1, 3, "again"), state(9));
  expect([1, 2, 3].map((round) => cache.get(key(1, round)))).toEqual([null, state(2), null]);
  expect(cache.get(key(1, 3, "again"))).toEqual(state(9));
});

it("forgets the EnvBatches that were set longest ago when it holds too much, but never the newest", () => {
  const cache = new StateCache(10);
  const four = new Uint8Array(4);
  for (const envBatch of [1, 2]) cache.set(key(envBatch, 1), four);
  cache.set(key(1, 2), Uint8Array.of(1)); // 9 bytes
  cache.set(key(3, 1), Uint8Array.of(1, 2)); // 11: EnvBatch 2 goes
  expect([1, 2, 3].map((envBatch) => cache.get(key(envBatch, 1))?.length ?? null)).toEqual([4, null, 2]);
  cache.set(key(4, 1), new Uint8Array(99));
  expect([1, 3, 4].map((envBatch) => cache.get(key(envBatch, 1))?.length ?? null)).toEqual([null, null, 99]);
});
