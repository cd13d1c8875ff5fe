import { expect, it } from "vitest";
import { WorkerSlots } from "../../actor/workerSlots.ts";

const never = new AbortController().signal;

it("gives slots in the order of asking, no more than there are", async () => {
  const slots = new WorkerSlots(2, () => {});
  const order: string[] = [];
  const ask = (name: string) => slots.acquire(never).then(() => void order.push(name));
  await Promise.all([ask("a"), ask("b")]);
  const [third, fourth] = [ask("c"), ask("d")];
  expect([order, slots.busy]).toEqual([["a", "b"], 2]);
  slots.release();
  await third;
  slots.release();
  await fourth;
  expect([order, slots.busy]).toEqual([["a", "b", "c", "d"], 2]);
  slots.release();
  slots.release();
  expect(slots.busy).toBe(0);
});

it("forgets who stops waiting, so that the slot goes to the next", async () => {
  const slots = new WorkerSlots(1, () => {});
  await slots.acquire(never);
  const gone = new AbortController();
  const first = slots.acquire(gone.signal);
  const second = slots.acquire(never);
  gone.abort(new Error("revoked"));
  await expect(first).rejects.toThrow("revoked");
  slots.release();
  await second;
  await expect(slots.acquire(gone.signal)).rejects.toThrow("revoked");
  expect(slots.busy).toBe(1);
});

it("counts the time of free slots, and not that of busy ones", async () => {
  let idle = 0;
  const slots = new WorkerSlots(2, (seconds) => {
    idle += seconds;
  });
  const began = performance.now();
  await slots.acquire(never);
  const atOne = performance.now();
  while (performance.now() - atOne < 30); // one of two is free
  await slots.acquire(never);
  const free = (2 * (atOne - began) + (performance.now() - atOne)) / 1000;
  expect(Math.abs(idle - free)).toBeLessThan(0.01);
  slots.account();
  expect(Math.abs(idle - free)).toBeLessThan(0.01); // none is free
});
