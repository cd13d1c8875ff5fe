import fc from "fast-check";
import { expect, it } from "vitest";
import { type OfferedRollout, RolloutOutbox } from "../../actor/rolloutOutbox.ts";

const rollout = (leaseId: number, generation = 1): OfferedRollout => {
  return { work: `${generation} ${leaseId}`, generation, leaseId, message: Uint8Array.of(leaseId, generation) };
};

it("never holds more than it may, whatever comes and goes", () => {
  const step = fc.tuple(fc.constantFrom("add", "settled", "renew"), fc.nat(9), fc.integer({ min: 1, max: 2 }));
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const outbox = new RolloutOutbox(4);
      let held = new Map<string, OfferedRollout>();
      for (const [kind, leaseId, generation] of steps) {
        const one = rollout(leaseId, generation);
        if (kind === "add") {
          held.delete(one.work);
          held.set(one.work, one);
          expect(outbox.add(one)).toBe(held.size > 4 ? 1 : 0);
          held = new Map([...held].slice(-4));
        } else if (kind === "settled") {
          outbox.settled(generation, leaseId);
          held.delete(one.work);
        } else {
          const kept = [...held].filter(([, { generation: of }]) => of === generation);
          const { messages, dropped } = outbox.renew(generation);
          expect(messages).toEqual(kept.map(([, { message }]) => message));
          expect(dropped).toBe(held.size - kept.length);
          held = new Map(kept);
        }
        for (let id = 0; id < 10; id++) expect(outbox.has(`1 ${id}`)).toBe(held.has(`1 ${id}`));
      }
    }),
    { seed: 3 },
  );
});
