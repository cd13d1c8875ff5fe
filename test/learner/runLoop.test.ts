import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { maxMessageBytes } from "../../shared/grpcOptions.ts";
import { RunningSystem } from "./runningLearner.ts";
import { smallRun } from "./syntheticRollout.ts";

const envBatches = 3;
const rounds = 8;

/** The weights of an undisturbed run with one actor: what every other fleet must reach. */
const reference = new Map<number, Promise<string>>();
function undisturbed(lag: 0 | 1): Promise<string> {
  const known = reference.get(lag);
  if (known !== undefined) return known;
  const made = (async () => {
    const system = await RunningSystem.start(smallRun(envBatches, rounds, lag));
    const learner = system.learner();
    await system.actor(learner, { capacity: 2 });
    expect(await learner.exit).toBe(0);
    return await system.finalWeights();
  })();
  reference.set(lag, made);
  return made;
}

it("trains to the end, in order, and tells everybody", async () => {
  const system = await RunningSystem.start(smallRun(envBatches, rounds, 0));
  const learner = system.learner();
  const actor = await system.actor(learner, { capacity: 2 });
  expect(await actor.welcomed).toBe("");
  expect(await learner.exit).toBe(0);
  const all = Array.from({ length: rounds }, (_, k) => [0, 1, 2].map((b) => `${b}:${k}@${k}`).join(" "));
  expect(learner.trainer()!.seen).toEqual(all);
  expect(actor.drained).toMatchObject({ finished: true });
  const status = await system.coordinator.client.control("STATUS");
  expect(status).toMatchObject({
    updates: rounds,
    agent_steps: rounds * 24,
    run: { state: "FINISHED", newest_checkpoint: rounds },
  });
  expect(status.metrics).toMatchObject({
    policy_lag: 0,
    policy_loss: -rounds,
    actors: 1,
    rollouts_refused: 0,
    reproducible: 1,
  });
  expect(status.metrics.episodes).toBe(rounds * envBatches);
  // at policy lag 0 the two wait in turn
  expect(status.metrics.learner_wait_seconds).toBeGreaterThan(0);
  expect(status.metrics.actors_wait_seconds).toBeGreaterThan(0);
});

for (const lag of [0, 1] as const)
  it(`reaches the same weights with actors that hang, vanish and leave, at policy lag ${lag}`, async () => {
    const system = await RunningSystem.start(smallRun(envBatches, rounds, lag));
    const learner = system.learner({ deploy: { leaseSeconds: 0.4 } });
    let answered = 0;
    await system.actor(learner, { onLease: () => {} }); // hangs: its lease expires, and it gets no other
    await system.actor(learner, { onLease: (self, lease) => (++answered > 4 ? self.kill() : self.answer(lease)) });
    await system.actor(learner, {
      onLease: (self, lease) => (lease.round > 3 ? self.leaveNicely() : self.answer(lease)),
    });
    await system.actor(learner, {
      onLease: (self, lease) =>
        lease.round % 2 === 1 && lease.state.length === 0
          ? self.returnLease(lease, "need_state", true)
          : self.answer(lease),
    });
    expect(await learner.exit).toBe(0);
    expect(await system.finalWeights()).toBe(await undisturbed(lag));
  });

it("with policy lag 1 collects round k + 1 while update k runs, with version k", async () => {
  const system = await RunningSystem.start(smallRun(envBatches, rounds, 1));
  const learner = system.learner();
  const actor = await system.actor(learner, { capacity: 3 });
  expect(await learner.exit).toBe(0);
  for (const { round, policy } of actor.leases) expect(policy!.version).toBe(Math.max(0, round - 1));
});

it("stopped and resumed, reaches the same weights", async () => {
  for (const lag of [0, 1] as const) {
    const system = await RunningSystem.start(smallRun(envBatches, rounds, lag));
    const first = system.learner();
    // no answers beyond round 4: the stop comes in the middle of a round
    const actor = await system.actor(first, {
      capacity: 3,
      onLease: (self, lease) => (lease.round > 4 && lease.env_batch > 0 ? undefined : self.answer(lease)),
    });
    await system.updates(4);
    await system.coordinator.client.control("STOP");
    expect(await first.exit).toBe(0);
    expect(actor.drained).toMatchObject({ finished: true, reason: "the learner is stopping" });
    const { updates } = await system.coordinator.client.control("STATUS"); // 4 or 5: checkpoints are due after 3 and 6
    expect(JSON.parse(readFileSync(join(system.runDir, "policy.onnx"), "utf8")).version).toBe(updates);
    await system.coordinator.client.control("RESUME");
    const second = system.learner();
    await system.actor(second);
    expect(await second.exit).toBe(0);
    expect(second.trainer()!.seen.length).toBeLessThan(rounds - 3); // it did not begin again
    expect(await system.finalWeights()).toBe(await undisturbed(lag));
  }
});

it("superseded by another learner ends at once, saves nothing, and the other reaches the same weights", async () => {
  const system = await RunningSystem.start(smallRun(envBatches, rounds, 0));
  const first = system.learner();
  const stuck = await system.actor(first, {
    capacity: 3,
    onLease: (self, lease) => (lease.round > 4 ? undefined : self.answer(lease)),
  });
  await system.updates(5);
  await system.checkpoint(3); // it is on its way while updates 4 and 5 are made: without it the second begins afresh
  const second = system.learner();
  await expect(first.exit).rejects.toThrow(/Learner generation 2 took the run over from generation 1/);
  await stuck.ended;
  expect(stuck.drained).toMatchObject({ finished: false });
  await system.actor(second);
  expect(await second.exit).toBe(0);
  expect(second.trainer()!.seen[0]).toBe("0:3@3 1:3@3 2:3@3");
  expect(await system.finalWeights()).toBe(await undisturbed(0));
});

it("goes on without the coordinator, and delivers reports and checkpoint when it is back", async () => {
  const system = await RunningSystem.start(smallRun(envBatches, rounds, 0));
  const learner = system.learner();
  let gone: Promise<void> | null = null;
  let trained: () => void = () => {};
  const lastRound = new Promise<void>((resolve) => {
    trained = resolve;
  });
  await system.actor(learner, {
    capacity: 3,
    onLease: (self, lease) => {
      if (lease.round === 2) gone ??= system.stopCoordinator();
      if (lease.round === rounds - 1) trained();
      // rounds after the second are played only when the coordinator is gone
      void (gone ?? Promise.resolve()).then(() => self.answer(lease));
    },
  });
  await lastRound;
  await system.startCoordinatorAgain();
  expect(await learner.exit).toBe(0);
  expect(await system.updates(rounds)).toBe(rounds);
  expect(await system.finalWeights()).toBe(await undisturbed(0));
});

it("goes on after NATS was killed and lost its storage", async () => {
  const system = await RunningSystem.start(smallRun(envBatches, rounds, 0));
  const learner = system.learner();
  let restarted: Promise<unknown> | null = null;
  await system.actor(learner, {
    capacity: 3,
    onLease: (self, lease) => {
      if (lease.round === 3)
        restarted ??= system.nats.kill().then(() => {
          system.nats.loseStorage();
          return system.nats.start();
        });
      void (restarted ?? Promise.resolve()).then(() => self.answer(lease));
    },
  });
  expect(await learner.exit).toBe(0);
  expect(await system.finalWeights()).toBe(await undisturbed(0));
});

it("async trains on every round's worth of rollouts, none older than maxPolicyLag", async () => {
  const system = await RunningSystem.start(smallRun(envBatches, rounds, "async"));
  const learner = system.learner();
  for (let i = 0; i < 3; i++) await system.actor(learner);
  expect(await learner.exit).toBe(0);
  const { seen } = learner.trainer()!;
  expect(seen).toHaveLength(rounds);
  for (const [k, round] of seen.entries())
    for (const piece of round.split(" ")) expect(k - Number(piece.split("@")[1])).toBeLessThanOrEqual(4);
});

it("gives no leases while paused", async () => {
  const system = await RunningSystem.start(smallRun(envBatches, rounds, 0));
  await system.coordinator.client.control("PAUSE");
  const learner = system.learner();
  const actor = await system.actor(learner, { capacity: 3 });
  expect(await actor.welcomed).toBe("");
  await system.until(async () => {
    const { members } = await system.coordinator.client.control("STATUS");
    const { actors } = JSON.parse(members.find(({ role }) => role === "LEARNER")?.status_json || "{}");
    return actors === 1 ? true : null;
  });
  expect(actor.leases).toHaveLength(0);
  await system.coordinator.client.control("RESUME");
  expect(await learner.exit).toBe(0);
});

it("a failing update ends the run, and the coordinator knows why", async () => {
  const system = await RunningSystem.start(smallRun(envBatches, rounds, 0));
  const learner = system.learner({ failAt: 3 });
  await system.actor(learner);
  await expect(learner.exit).rejects.toThrow(/The loss of update 3 is NaN/);
  const run = await system.coordinator.client.getRun();
  expect(run).toMatchObject({ state: "FAILED" });
  expect(run.failure).toContain("The loss of update 3 is NaN");
});

it("a network whose policies no report can carry ends the run at its start, before anything is collected", async () => {
  const network = { kind: "mlp", hidden: [8192, 4096] } as const;
  const system = await RunningSystem.start(smallRun(envBatches, rounds, 0, { network }));
  const learner = system.learner({ padding: maxMessageBytes });
  const actor = await system.actor(learner);
  await expect(learner.exit).rejects.toThrow(/\[CONFIG\] network\.hidden=\[8192, 4096\] makes a policy of \d+ bytes/);
  expect(actor.leases).toEqual([]);
  const run = await system.coordinator.client.getRun();
  expect(run).toMatchObject({ state: "FAILED", failure: expect.stringContaining("network.hidden=[8192, 4096]") });
});
