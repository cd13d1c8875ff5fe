import { expect, it } from "vitest";
import { fingerprint } from "../../shared/fingerprint.ts";
import type { Rollout } from "../../shared/rollout.ts";
import { RunningSystem } from "./runningLearner.ts";
import { cartPoleSpec, smallRun } from "./syntheticRollout.ts";

const rounds = 4;

it("refuses an actor of another run, config, build or environment, naming both values, and trains with the good one", async () => {
  const system = await RunningSystem.start(smallRun(2, rounds, 0));
  const learner = system.learner();
  const good = await system.actor(learner, { onLease: () => {} });
  expect(await good.welcomed).toBe("");
  const other = { ...cartPoleSpec, maxEpisodeSteps: 200 };
  const cases = [
    [{ run_id: "another-run" }, /run id is another-run, the learner's is cartpole/],
    [{ config_digest: "0".repeat(64) }, /config digest is 0000.*, the learner's is [0-9a-f]{64}/],
    [{ build: "0.0.1+old" }, /build is 0\.0\.1\+old, the learner's is/],
    [{ capacity: 0 }, /capacity is 0, allowed are 1 to 1024/],
    [{ actor_id: "" }, /no actor_id/],
    [{ fingerprint_json: "{" }, /fingerprint .* cannot be read/],
    [{ environment_spec_json: JSON.stringify(other) }, /maxEpisodeSteps 200 instead of 500/],
    [{ environment_spec_json: JSON.stringify({ ...cartPoleSpec, colour: "red" }) }, /colour/],
  ] as const;
  for (const [hello, expected] of cases) {
    const wrong = await system.actor(learner, { hello });
    expect(await wrong.welcomed).toMatch(expected);
    expect(await wrong.ended).toBe("end");
    expect(wrong.leases).toHaveLength(0);
  }
  good.kill();
  await system.actor(learner);
  expect(await learner.exit).toBe(0);
});

const foreign = JSON.stringify({ ...fingerprint(null), cpu: "Another CPU" });

it("an actor of another fingerprint makes the run not reproducible once its work is taken", async () => {
  const system = await RunningSystem.start(smallRun(2, rounds, 0));
  const learner = system.learner();
  const first = await system.actor(learner, {
    onLease: (self, lease) => (lease.env_batch === 0 ? self.answer(lease) : self.kill()),
  });
  await first.ended; // it did EnvBatch 0, or it would not have been leased EnvBatch 1
  const second = await system.actor(learner, { hello: { fingerprint_json: foreign } });
  expect(await second.welcomed).toBe("");
  expect(await learner.exit).toBe(0);
  expect(second.outcomes).toContain("taken");
  const { metrics, run } = await system.coordinator.client.control("STATUS");
  expect([metrics.reproducible, run?.reproducible]).toEqual([0, false]);
});

it("an actor of another fingerprint that is refused, or that never answers, changes nothing", async () => {
  const system = await RunningSystem.start(smallRun(2, rounds, 0));
  const learner = system.learner();
  const { client } = system.coordinator;
  await client.register({ role: "ACTOR", host: "elsewhere", pid: 1, build: "b", fingerprint_json: foreign });
  const refused = await system.actor(learner, { hello: { fingerprint_json: foreign, build: "0.0.1+old" } });
  expect(await refused.welcomed).toMatch(/build is 0\.0\.1\+old/);
  const idle = await system.actor(learner, { hello: { fingerprint_json: foreign }, onLease: () => {} });
  expect(await idle.welcomed).toBe("");
  idle.kill();
  await system.actor(learner);
  expect(await learner.exit).toBe(0);
  const { metrics, run } = await client.control("STATUS");
  expect([metrics.reproducible, run?.reproducible]).toEqual([1, true]);
});

it("refuses damaged and foreign rollouts with a reason, never trains on them, and sends a repeated sender away", async () => {
  const system = await RunningSystem.start(smallRun(1, rounds, 0));
  const learner = system.learner();
  const bad = await system.actor(learner, {
    onLease: (self, lease) => {
      const rollout = self.play(lease);
      const wrong = [
        { ...rollout, rewards: rollout.rewards.map((r, i) => (i === 3 ? Number.NaN : r)) },
        { ...rollout, key: { ...rollout.key, policyDigest: "f".repeat(64) } },
        { ...rollout, key: { ...rollout.key, round: lease.round + 1 } },
      ];
      self.send(wrong[self.outcomes.length]!, lease.lease_id);
    },
  });
  expect(await bad.ended).toMatch(/sent away: 3 bad rollouts in a row/);
  expect(bad.outcomes[0]).toMatch(/refused: Rollout field rewards has NaN at element 3/);
  expect(bad.outcomes[1]).toMatch(/refused: version 0 has digest .* the rollout says ffff/);
  expect(bad.outcomes[2]).toMatch(/refused: EnvBatch 0 is in round 0, the rollout says 1/);
  const again = await system.actor(learner, { hello: { actor_id: "actor-0" } });
  expect(await again.welcomed).toMatch(/was sent away/);
  await system.actor(learner);
  expect(await learner.exit).toBe(0);
  const { metrics } = await system.coordinator.client.control("STATUS");
  expect(metrics.rollouts_refused).toBe(3);
});

it("counts late answers as duplicates and old ones as stale, and blames nobody", async () => {
  const system = await RunningSystem.start(smallRun(1, rounds, 0));
  const learner = system.learner();
  const actor = await system.actor(learner, {
    onLease: (self, lease) => {
      const rollout = self.play(lease);
      self.send(rollout, lease.lease_id);
      for (let i = 0; i < 4; i++) self.send(rollout, lease.lease_id);
      self.send({ ...rollout, key: { ...rollout.key, generation: 0 } }, lease.lease_id);
    },
  });
  expect(await learner.exit).toBe(0);
  await actor.ended;
  expect(actor.outcomes.slice(0, 6)).toEqual(["taken", "duplicate", "duplicate", "duplicate", "duplicate", "stale"]);
  expect(learner.trainer()!.seen).toEqual([0, 1, 2, 3].map((k) => `0:${k}@${k}`));
});

it("has an outcome and a counter for each rollout that is late, repeated, old or under a lease of nobody", async () => {
  const system = await RunningSystem.start(smallRun(1, 3, 0));
  const learner = system.learner();
  const sent: Rollout[] = [];
  let counted = "";
  const actor = await system.actor(learner, {
    onLease: (self, lease) => {
      const rollout = self.play(lease);
      sent.push(rollout);
      if (lease.round === 0) {
        self.send(rollout, lease.lease_id);
        self.send(rollout, lease.lease_id); // repeated
        self.send({ ...rollout, key: { ...rollout.key, generation: 0 } }, lease.lease_id);
      } else if (lease.round === 1) {
        self.send(rollout, 4711); // never leased to anybody: judged by its content
        self.send(rollout, lease.lease_id); // its own lease was outrun by that
      } else {
        self.send(sent[0]!, 4712);
        void system
          .until(async () => (self.outcomes.length === 6 ? learner.metrics() : null))
          .then((text) => {
            counted = text;
            self.answer(lease);
          });
      }
    },
  });
  expect(await learner.exit).toBe(0);
  expect(actor.outcomes.slice(0, 6)).toEqual(["taken", "duplicate", "stale", "taken", "duplicate", "stale"]);
  for (const line of [
    'rollouts_duplicate_total{reason="unleased"} 1',
    'rollouts_duplicate_total{reason="outrun"} 1',
    'rollouts_unleased_total{reason="unleased"} 1',
    'rollouts_stale_total{reason="generation"} 1',
    'rollouts_stale_total{reason="round"} 1',
    "rollouts_taken_total 2",
  ])
    expect(counted).toContain(`anchorage_learner_${line}\n`);
  expect(learner.trainer()!.seen).toEqual([0, 1, 2].map((k) => `0:${k}@${k}`));
});

it("ends the stream of an actor that does not begin with hello", async () => {
  const system = await RunningSystem.start(smallRun(1, rounds, 0));
  const learner = system.learner();
  const actor = await system.actor(learner);
  await actor.welcomed;
  actor.sendRaw({ hello: { run_id: actor.runId } });
  expect(await actor.ended).toMatch(/INVALID_ARGUMENT: hello came twice/);
});

it("publishes a policy again when an actor needs it", async () => {
  const system = await RunningSystem.start(smallRun(1, rounds, 0));
  const learner = system.learner();
  let asked = false;
  await system.actor(learner, {
    onLease: (self, lease) => {
      if (!asked) self.sendRaw({ need_policy: { policy: lease.policy } });
      asked = true;
      self.answer(lease);
    },
  });
  expect(await learner.exit).toBe(0);
});
