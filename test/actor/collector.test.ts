import { describe, expect, it } from "vitest";
import { RolloutPool } from "../../actor/rolloutPool.ts";
import { decodeRollout } from "../../shared/rolloutCodec.ts";
import {
  begun,
  config,
  configOf,
  learner,
  policy,
  pool,
  publish,
  restartLearner,
  rolloutOf,
  runId,
  running,
  start,
  useCollectors,
} from "./runningCollector.ts";
import { TestLearner } from "./testLearner.ts";

const bad = "test/actor/fixtures/badEnvironment.ts";
useCollectors();

describe("leases", () => {
  it("are answered by whole rollouts, continued from the states that the actor keeps", async () => {
    start();
    const session = await learner.session();
    expect(session.hello).toMatchObject({ run_id: runId, actor_id: "actor-1", capacity: 2 });
    session.lease({ lease_id: 5, env_batch: 3, policy: policy(0) });
    const message = await session.next("rollout");
    expect(message.lease_id).toBe(5);
    const first = decodeRollout(message, config, pool.spec);
    expect(first.key).toMatchObject({ runId, generation: 1, envBatch: 3, round: 0, policyVersion: 0 });
    session.lease({ lease_id: 6, env_batch: 3, round: 1, policy: policy(0), state_digest: message.end_state_digest });
    const second = await rolloutOf(session);
    expect(second.key.round).toBe(1);
    expect([...second.observations.subarray(0, 4)]).not.toEqual([...first.observations.subarray(0, 4)]);
  });

  it("come back where the state is not known here, and are answered when they bring it", async () => {
    start();
    const one = await learner.session();
    one.lease({ lease_id: 1, policy: policy(0) });
    const { end_state, end_state_digest } = await one.next("rollout");
    running[0]!.collector.finish();
    await running[0]!.done;
    start(); // another actor
    const session = await learner.session();
    const next = { round: 1, policy: policy(0), state_digest: end_state_digest };
    session.lease({ ...next, lease_id: 2 });
    expect(await session.next("return_lease")).toEqual({ lease_id: 2, reason: "need_state", need_state: true });
    session.lease({ ...next, lease_id: 3, state: end_state.subarray(1) });
    expect(await session.next("return_lease")).toMatchObject({ lease_id: 3, need_state: true }); // not its digest
    session.lease({ ...next, lease_id: 4, state: end_state });
    const brought = await rolloutOf(session);
    session.send({ taken: { lease_id: 4, outcome: "refused: by this test" } }); // so it is wanted again
    session.lease({ ...next, lease_id: 5 }); // now it is kept
    const kept = await rolloutOf(session);
    expect({ ...kept, timing: null }).toEqual({ ...brought, timing: null });
  });

  it("of a policy that NATS does not have make the actor ask for it", async () => {
    start();
    const session = await learner.session();
    session.lease({ lease_id: 1, policy: policy(1) });
    expect((await session.next("need_policy")).policy).toEqual(policy(1));
    await publish(1);
    expect((await rolloutOf(session)).key.policyDigest).toBe(policy(1).digest);
  });

  it("come back where the policy does not come in time", async () => {
    start();
    const session = await learner.session();
    session.lease({ lease_id: 1, policy: { version: 9, digest: "09".repeat(32) }, expires_in_ms: 800 });
    const { reason } = await session.next("return_lease");
    expect(reason).toMatch(/^policy_unavailable: .*Policy version 9/);
  });

  it("come back at once when they are revoked before they began", async () => {
    start();
    const session = await learner.session();
    session.lease({ lease_id: 1, policy: policy(0) });
    session.lease({ lease_id: 2, env_batch: 1, policy: policy(0) }); // waits for the only worker
    session.send({ revoke: { lease_id: 2, reason: "another actor answered first" } });
    expect(await session.next("return_lease")).toMatchObject({
      lease_id: 2,
      reason: "lease_revoked: another actor answered first",
    });
    expect((await session.next("rollout")).lease_id).toBe(1);
  });
});

describe("a learner that goes away", () => {
  it("in the middle of a rollout gets it on the next stream, as long as it is the same learner", async () => {
    start();
    const session = await learner.session();
    await begun(session);
    session.lease({ lease_id: 8, env_batch: 1, policy: policy(0) }); // not begun: lost with the stream
    session.end();
    const again = await learner.session();
    expect((await again.next("rollout")).lease_id).toBe(1);
    again.lease({ lease_id: 9, env_batch: 2, policy: policy(0) });
    expect((await again.next("rollout")).lease_id).toBe(9);
  });

  it("gets what was finished while it was away", async () => {
    let address = learner.address;
    const { collector } = start({ address: () => address });
    const session = await learner.session();
    await begun(session);
    address = "127.0.0.1:9"; // discard: nobody listens
    session.end();
    while (collector.leases > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    address = learner.address;
    collector.learnerMoved();
    const again = await learner.session();
    expect((await again.next("rollout")).lease_id).toBe(1);
  });

  it("and comes back as another generation at the same address gets nothing of the old leases", async () => {
    start();
    const session = await learner.session();
    session.lease({ lease_id: 1, env_batch: 2, policy: policy(0) });
    const { port } = learner;
    learner.kill();
    const reborn = await restartLearner(port);
    const again = await reborn.session({ generation: 2 });
    again.lease({ lease_id: 1, generation: 2, env_batch: 3, policy: policy(0) });
    const rollout = await rolloutOf(again);
    expect([rollout.key.generation, rollout.key.envBatch]).toEqual([2, 3]);
  });

  it("to another address is followed as soon as that is known", async () => {
    let address = "127.0.0.1:9"; // discard: nobody listens
    const { collector } = start({ address: () => address });
    address = learner.address;
    collector.learnerMoved();
    const session = await learner.session();
    const other = await TestLearner.listen();
    address = other.address;
    collector.learnerMoved();
    await session.ended;
    (await other.session()).lease({ lease_id: 1, policy: policy(0) });
    other.kill();
  });

  it("with a drain is waited for; with a finished run the actor ends", async () => {
    const { done } = start();
    const session = await learner.session();
    session.send({ drain: { reason: "superseded", finished: false } });
    const again = await learner.session();
    again.send({ drain: { reason: "all updates done", finished: true } });
    await done;
  });
});

describe("draining", () => {
  it("finishes what has begun, gives back the rest and says goodbye", async () => {
    const { stopping, done, collector } = start();
    const session = await learner.session();
    await begun(session);
    session.lease({ lease_id: 2, env_batch: 1, policy: policy(0) });
    stopping.abort();
    expect(collector.notReady).toBe("draining");
    session.lease({ lease_id: 3, env_batch: 2, policy: policy(0) }); // sent before the learner knew
    const returned = [await session.next("return_lease"), await session.next("return_lease")];
    expect(returned.map(({ lease_id, reason }) => [lease_id, reason]).sort()).toEqual([
      [2, "draining"],
      [3, "draining"],
    ]);
    expect((await session.next("rollout")).lease_id).toBe(1);
    await session.ended;
    await done;
  });

  it("gives back what does not end in time", async () => {
    const { stopping, done } = start({ drainMs: 20 });
    const session = await learner.session();
    await begun(session);
    stopping.abort();
    expect(await session.next("return_lease")).toMatchObject({ lease_id: 1, reason: "draining" });
    await done;
  });

  it("is over at once where no learner is reached", async () => {
    const { stopping, done } = start({ address: () => "" });
    stopping.abort();
    await done;
  });
});

describe("an actor gives up", () => {
  it("when the learner refuses it, with the learner's reason", async () => {
    const { done } = start();
    await learner.session({ refused: "the actor's build is a, the learner's is b" });
    await expect(done).rejects.toThrow(/MISMATCH.*refused this actor: the actor's build is a/);
  });

  it("when its environments fail again and again, having told the learner why", async () => {
    const broken = await RolloutPool.start(configOf(bad, { how: "observation" }), 1);
    const { done } = start({ pool: broken });
    const session = await learner.session();
    for (const lease_id of [1, 2, 3]) {
      session.lease({ lease_id, policy: policy(0) });
      const { reason } = await session.next("return_lease");
      expect(reason).toMatch(/^environment_failed: Bad: environment 0 .*step 3 .*observation\[1\] is NaN/);
    }
    await expect(done).rejects.toThrow(/ENVIRONMENT.*observation\[1\] is NaN/);
    await broken.close();
  });
});
