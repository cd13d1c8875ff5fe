import { describe, expect, it } from "vitest";
import { begun, learner, policy, rolloutOf, start, useCollectors } from "./runningCollector.ts";
import type { TestSession } from "./testLearner.ts";

useCollectors();

/** Lease `lease_id` on EnvBatch 0, round 0: always the same work. */
const same = (session: TestSession, lease_id: number): void => session.lease({ lease_id, policy: policy(0) });

async function stepsOf({ metrics }: ReturnType<typeof start>): Promise<number> {
  return (await metrics.agentSteps.get()).values[0]?.value ?? 0;
}
const rolloutSteps = 32; // 16 steps of 2 environments

describe("work that is leased again to the actor that is at it", () => {
  it("after its lease expired is collected once: the older lease is answered, the newer one comes back", async () => {
    const actor = start();
    const session = await learner.session();
    await begun(session);
    session.send({ revoke: { lease_id: 1, reason: "not answered within 50 ms" } });
    same(session, 2);
    expect((await session.next("rollout")).lease_id).toBe(1);
    expect(await session.next("return_lease")).toMatchObject({ lease_id: 2, reason: "already_answered" });
    expect(await stepsOf(actor)).toBe(rolloutSteps);
  });

  it("on another stream is answered there, under the older lease", async () => {
    const actor = start();
    const session = await learner.session();
    await begun(session);
    session.end();
    const again = await learner.session();
    same(again, 7);
    expect((await again.next("rollout")).lease_id).toBe(1);
    expect(await again.next("return_lease")).toMatchObject({ lease_id: 7, reason: "already_answered" });
    expect(await stepsOf(actor)).toBe(rolloutSteps);
  });

  it("comes back when it is revoked, while the older one goes on", async () => {
    start();
    const session = await learner.session();
    await begun(session);
    same(session, 2);
    session.send({ revoke: { lease_id: 2, reason: "another actor answered first" } });
    expect(await session.next("return_lease")).toMatchObject({ lease_id: 2, reason: /^lease_revoked/ });
    expect((await session.next("rollout")).lease_id).toBe(1);
  });

  it("is collected for the newer lease if the older one came to nothing", async () => {
    start();
    const session = await learner.session();
    await begun(session); // keeps the only worker busy
    session.lease({ lease_id: 2, env_batch: 1, policy: policy(0) });
    session.lease({ lease_id: 3, env_batch: 1, policy: policy(0) });
    session.send({ revoke: { lease_id: 2, reason: "" } });
    expect(await session.next("return_lease")).toMatchObject({ lease_id: 2 });
    expect((await session.next("rollout")).lease_id).toBe(1);
    expect((await session.next("rollout")).lease_id).toBe(3);
  });
});

describe("a rollout that the learner has not answered for", () => {
  it("is offered again on the next stream, and not collected again", async () => {
    const actor = start();
    const session = await learner.session();
    same(session, 1);
    const sent = await session.next("rollout");
    session.end(); // it never said what it made of it
    const again = await learner.session();
    const resent = await again.next("rollout");
    expect([resent.lease_id, resent.checksum]).toEqual([sent.lease_id, sent.checksum]);
    same(again, 2);
    expect(await again.next("return_lease")).toMatchObject({ lease_id: 2, reason: "already_answered" });
    expect(await stepsOf(actor)).toBe(rolloutSteps);
  });

  it("is forgotten with the learner's word: taken, it is not offered again; refused, it is collected again", async () => {
    const actor = start();
    const session = await learner.session();
    same(session, 1);
    const first = await rolloutOf(session);
    session.send({ taken: { lease_id: 1, outcome: "refused: by this test" } });
    same(session, 2);
    const second = await rolloutOf(session);
    expect({ ...second, timing: null }).toEqual({ ...first, timing: null });
    session.send({ taken: { lease_id: 2, outcome: "taken" } });
    session.end();
    const again = await learner.session();
    again.lease({ lease_id: 3, env_batch: 1, policy: policy(0) });
    expect((await again.next("rollout")).lease_id).toBe(3);
    expect(await stepsOf(actor)).toBe(3 * rolloutSteps);
  });

  it("is dropped and counted when a learner of another generation takes over", async () => {
    const actor = start();
    const session = await learner.session();
    same(session, 1);
    await session.next("rollout");
    session.end();
    const again = await learner.session({ generation: 2 });
    again.lease({ lease_id: 1, generation: 2, env_batch: 1, policy: policy(0) });
    expect((await rolloutOf(again)).key).toMatchObject({ generation: 2, envBatch: 1 });
    const { values } = await actor.metrics.rollouts.get();
    expect(values.find(({ labels }) => labels.outcome === "dropped")?.value).toBe(1);
  });
});
