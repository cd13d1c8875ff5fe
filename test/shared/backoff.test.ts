import fc from "fast-check";
import { expect, it } from "vitest";
import { Backoff, retry } from "../../shared/backoff.ts";

const settings = { patienceMs: Number.POSITIVE_INFINITY, firstMs: 1, maxMs: 2, retryable: () => true };

it("waits are uniform under a bound that doubles up to the largest", () => {
  const largest = new Backoff({ firstMs: 100, maxMs: 1000, random: () => 1 });
  expect(Array.from({ length: 6 }, () => largest.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
  largest.reset();
  expect([largest.next(), largest.attempts]).toEqual([100, 1]);
  const half = new Backoff({ firstMs: 100, maxMs: 1000, random: () => 0.5 });
  expect([half.next(), half.next()]).toEqual([50, 100]);
});

it("never leaves [0, max], however often it is asked", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat(5000), (random, times) => {
      const backoff = new Backoff({ firstMs: 100, maxMs: 5000, random: () => random });
      for (let i = 0; i < times; i++) backoff.next();
      const wait = backoff.next();
      return wait >= 0 && wait < 5000;
    }),
    { seed: 3 },
  );
});

it("a wait ends at once when its signal aborts", async () => {
  const stop = new AbortController();
  const waiting = new Backoff({ firstMs: 1e6, maxMs: 1e6, random: () => 1 }).wait(stop.signal);
  stop.abort();
  await expect(waiting).rejects.toThrow(/aborted/);
});

it("tries again until it succeeds, and tells of each failure", async () => {
  let calls = 0;
  const told: number[] = [];
  const result = await retry(() => (++calls < 4 ? Promise.reject(new Error("no")) : Promise.resolve("yes")), {
    ...settings,
    onRetry: (_, attempt) => told.push(attempt),
  });
  expect([result, calls, told]).toEqual(["yes", 4, [1, 2, 3]]);
});

it("throws at once what is not worth trying again, and the last error when patience ends", async () => {
  let calls = 0;
  const fail = () => Promise.reject(new Error(`failure ${++calls}`));
  await expect(retry(fail, { ...settings, retryable: () => false })).rejects.toThrow("failure 1");
  await expect(retry(fail, { ...settings, patienceMs: 0 })).rejects.toThrow("failure 2");
});

it("does not start when the signal has aborted already", async () => {
  await expect(retry(() => Promise.resolve(1), { ...settings, signal: AbortSignal.abort() })).rejects.toThrow(/abort/);
});
