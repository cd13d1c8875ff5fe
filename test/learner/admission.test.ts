import { expect, it } from "vitest";
import type { Rollout as RolloutMessage } from "../../proto/gen/anchorage/v1/Rollout.ts";
import { fingerprint } from "../../shared/fingerprint.ts";
import type { Rollout, RolloutKey } from "../../shared/rollout.ts";
import { type RunningLearner, RunningSystem } from "./runningLearner.ts";
import { cartPoleSpec, encodeRollout, smallRun } from "./syntheticRollout.ts";

const rounds = 4;

/** One of a learner's counters by its reasons; those that it never counted are left out. */
async function byReason(learner: RunningLearner, name: string): Promise<Record<string, number>> {
  const lines = (await learner.metrics()).matchAll(new RegExp(`^anchorage_learner_${name}{reason="(.*)"} (.*)$`, "gm"));
  const counts = [...lines].map(([, reason, count]) => [reason!, Number(count)] as const);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

it("refuses an actor of another run, config, build or environment, naming both values, and trains with the good one", async () => {
  const system = await RunningSystem.start(smallRun(2, rounds, 0));
  const learner = system.learner();
  const good = await system.actor(learner, { onLease: () => {} });
  expect(await good.welcomed).toBe("");
  const other = { ...cartPoleSpec, maxEpisodeSteps: 200 };
  const cases = [
    ["run", { run_id: "another-run" }, /run id is another-run, the learner's is cartpole/],
    ["config", { config_digest: "0".repeat(64) }, /config digest is 0000.*, the learner's is [0-9a-f]{64}/],
    ["build", { build: "0.0.1+old" }, /build is 0\.0\.1\+old, the learner's is/],
    ["hello", { capacity: 0 }, /capacity is 0, allowed are 1 to 1024/],
    ["hello", { actor_id: "" }, /no actor_id/],
    ["hello", { fingerprint_json: "{" }, /fingerprint .* cannot be read/],
    ["spec", { environment_spec_json: JSON.stringify(other) }, /maxEpisodeSteps 200 instead of 500/],
    ["hello", { environment_spec_json: JSON.stringify({ ...cartPoleSpec, colour: "red" }) }, /colour/],
  ] as const;
  const counted: Record<string, number> = {};
  for (const [reason, hello, expected] of cases) {
    const wrong = await system.actor(learner, { hello });
    expect(await wrong.welcomed).toMatch(expected);
    expect(await wrong.ended).toBe("end");
    expect(wrong.leases).toHaveLength(0);
    counted[reason] = (counted[reason] ?? 0) + 1;
    expect(await byReason(learner, "actors_refused_total")).toEqual(counted);
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
  expect(await byReason(learner, "actors_refused_total")).toEqual({ banned: 1 });
  await system.actor(learner);
  expect(await learner.exit).toBe(0);
  const { metrics } = await system.coordinator.client.control("STATUS");
  expect(metrics.rollouts_refused).toBe(3);
});

type Wire = (rollout: Rollout) => RolloutMessage;
const keyed = (change: (key: RolloutKey) => Partial<RolloutKey>) => (good: Rollout, wire: Wire) =>
  wire({ ...good, key: { ...good.key, ...change(good.key) } });

/** Spoils a good rollout in one thing, and the reason that this is counted under. */
const spoiled: readonly (readonly [string, (good: Rollout, wire: Wire) => ReturnType<Wire>])[] = [
  ["run", keyed(() => ({ runId: "another-run" }))],
  ["generation", keyed(({ generation }) => ({ generation: generation + 1 }))],
  ["round", keyed(({ round }) => ({ round: round + 1 }))],
  ["policy", keyed(({ policyVersion }) => ({ policyVersion: policyVersion + 1 }))],
  ["policy_digest", keyed(() => ({ policyDigest: "f".repeat(64) }))],
  ["mismatch", keyed(() => ({ envBatch: 1 }))],
  ["shape", (good, wire) => ({ ...wire(good), values: { ...wire(good).values, shape: [2, 4] } })],
  ["shape", (good, wire) => ({ ...wire(good), values: { ...wire(good).values, dtype: "INT32" } })],
  ["corrupt", (good, wire) => ({ ...wire(good), checksum: 4711 })],
  ["numeric", (good, wire) => wire({ ...good, rewards: good.rewards.with(3, Number.NaN) })],
  ["numeric", (good, wire) => wire({ ...good, values: good.values.with(0, Number.POSITIVE_INFINITY) })],
];

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

it("counts what it refuses by what is wrong with it, and trains with the same actor's good rollouts", async () => {
  const system = await RunningSystem.start(smallRun(1, spoiled.length, 0));
  const learner = system.learner();
  let counted = {};
  const actor = await system.actor(learner, {
    onLease: (self, lease) => {
      const good = self.play(lease);
      if (self.leases.length % 2 === 1) {
        const wire: Wire = (rollout) => encodeRollout(rollout, lease.lease_id, system.config, cartPoleSpec);
        self.sendRaw({ rollout: spoiled[lease.round]![1](good, wire) });
      } else if (lease.round < spoiled.length - 1) self.answer(lease);
      else
        void byReason(learner, "rollouts_refused_total").then((now) => {
          counted = now;
          self.answer(lease);
        });
    },
  });
  expect(await learner.exit).toBe(0);
  const each = { run: 1, generation: 1, round: 1, policy: 1, policy_digest: 1, mismatch: 1, corrupt: 1 };
  expect(counted).toEqual({ ...each, shape: 2, numeric: 2 });
  expect(actor.outcomes.map((outcome) => outcome.slice(0, 7))).toEqual(spoiled.flatMap(() => ["refused", "taken"]));
  expect(learner.trainer()!.seen).toEqual(spoiled.map((_, k) => `0:${k}@${k}`));
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
