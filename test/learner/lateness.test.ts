import { expect, it } from "vitest";
import { Lateness } from "../../learner/lateness.ts";

/** After `count` leases that took `ms` each. */
function after(count: number, ms: number, leaseMs = 60_000): Lateness {
  const lateness = new Lateness({ factor: 3, leaseMs });
  for (let i = 0; i < count; i++) lateness.answered(ms);
  return lateness;
}

it("nothing is late before eight leases are answered", () => {
  expect(after(7, 4_000).afterMs).toBeNull();
  expect(after(8, 4_000).afterMs).toBe(12_000);
});

it("a lease is late after three medians, whatever a few stragglers took", () => {
  const lateness = after(8, 2_000);
  for (let i = 0; i < 7; i++) lateness.answered(50_000);
  expect(lateness.afterMs).toBe(6_000);
});

it("rollouts of milliseconds are late after a second", () => {
  expect(after(8, 5).afterMs).toBe(1_000);
});

it("late comes by half of the lease's time, also below a second", () => {
  expect(after(8, 15_000).afterMs).toBe(30_000);
  expect(after(8, 5, 1_200).afterMs).toBe(600);
});

it("where the usual rollout takes over a third of the lease, none is late: all would be", () => {
  expect(after(8, 20_000).afterMs).toBe(30_000);
  expect(after(8, 20_001).afterMs).toBeNull();
});

it("an environment that becomes slower as a whole is late no longer once it is usual", () => {
  const lateness = after(64, 1_000);
  expect(lateness.afterMs).toBe(3_000);
  for (let i = 0; i < 64; i++) lateness.answered(5_000); // the oldest are forgotten
  expect(lateness.afterMs).toBe(15_000);
});
