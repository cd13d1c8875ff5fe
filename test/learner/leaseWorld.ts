import { expect } from "vitest";
import { Collection } from "../../learner/collection.ts";
import type { Lease, LeaseActor } from "../../learner/leaseSession.ts";
import { type Answered, LeaseBook } from "../../learner/leases.ts";
import { RoundAssembly, type Verdict, type Work } from "../../learner/rounds.ts";
import { WaitClock } from "../../learner/waitClock.ts";
import { actingVersion, runShape } from "../../shared/runConfig.ts";
import { sha256Hex, smallRun, stateBytes, syntheticRollout } from "./syntheticRollout.ts";

export const leaseMs = 1000;
export const lateMs = 300;
const generation = 3;
const digestOf = (version: number): string => sha256Hex(Buffer.from(`policy ${version}`));

/** An actor that keeps its grants; every grant is checked against the rules at the moment it is made. */
export class TestActor implements LeaseActor {
  readonly held = new Map<number, Lease>(); // granted, not answered; revoked ones too
  readonly revoked = new Set<number>();
  readonly granted = new Map<number, number>(); // lease -> when
  readonly cached = new Set<string>(); // "envBatch:round" of states that it returned
  readonly id: string;
  readonly capacity: number;
  readonly #world: World;
  constructor(world: World, id: string, capacity: number) {
    this.#world = world;
    this.id = id;
    this.capacity = capacity;
  }
  grant(lease: Lease): void {
    this.held.set(lease.id, lease);
    this.granted.set(lease.id, this.#world.now);
    this.#world.checkGrant(this, lease);
  }
  revoke(leaseId: number): void {
    expect(this.held.has(leaseId)).toBe(true);
    this.revoked.add(leaseId);
  }
}

/** Leases and rounds of a run without network, with a clock that the test moves. */
export class World {
  now = 0;
  readonly actors: TestActor[] = [];
  readonly orphans: Lease[] = []; // leases of actors that left: their answers may still come, on another stream
  readonly trained: string[] = [];
  readonly standings: Answered["standing"][] = []; // of the leases that were answered
  readonly answerTimes: number[] = []; // of good answers, as the book reports them
  readonly rounds: RoundAssembly;
  readonly leases: LeaseBook;
  readonly collection: Collection;
  readonly lag: 0 | 1 | "async";
  readonly envBatches: number;
  readonly actorsWait: WaitClock;
  newest = 0;
  backups = 0;
  failures = 0; // of environments
  paused = false;
  #made = 0;
  constructor(envBatches: number, rounds: number, lag: 0 | 1 | "async") {
    this.lag = lag;
    this.envBatches = envBatches;
    const config = smallRun(envBatches, rounds, lag);
    expect(runShape(config)).toMatchObject({ envBatches, rounds });
    this.rounds = new RoundAssembly({
      runId: "run",
      generation: () => generation,
      config,
      updatesDone: 0,
      starts: null,
    });
    // as in collecting.ts: async runs are not insured
    const lateness =
      lag === "async" ? null : { afterMs: lateMs, answered: (ms: number) => void this.answerTimes.push(ms) };
    this.leases = new LeaseBook({ work: this.rounds, leaseMs, lateness, now: () => this.now });
    this.actorsWait = new WaitClock(() => this.now);
    this.collection = new Collection({
      rounds: this.rounds,
      leases: this.leases,
      actorsWait: this.actorsWait,
      envBatches,
      now: () => this.now,
    });
    this.collection.policyPublished({ version: 0, digest: digestOf(0) });
  }

  checkGrant(actor: TestActor, { id, work, withState }: Lease): void {
    expect(this.paused).toBe(false);
    expect(actor.held.size, "credit").toBeLessThanOrEqual(actor.capacity);
    this.#checkHolders(actor, id, work);
    expect(work.policy.digest).toBe(digestOf(work.policy.version));
    if (this.lag === "async") expect(work.policy.version, "newest").toBe(this.newest);
    else {
      expect(work.policy.version).toBe(actingVersion(work.round, this.lag));
      expect(work.round).toBeLessThanOrEqual(this.rounds.updatesDone + this.lag);
    }
    const state = work.round === 0 ? null : Buffer.from(stateBytes(work.envBatch, work.round));
    expect(work.state === null ? null : Buffer.from(work.state.bytes)).toEqual(state);
    if (state !== null && !withState) expect(actor.cached.has(`${work.envBatch}:${work.round}`)).toBe(true);
  }

  /** At most one more holder: another actor that is late, while this one has nothing to do and nothing is open. */
  #checkHolders(actor: TestActor, id: number, work: Work): void {
    const valid = (of: TestActor): Lease[] => [...of.held.values()].filter((l) => l.id !== id && !of.revoked.has(l.id));
    const others = this.actors.filter((one) => valid(one).some((lease) => lease.work.envBatch === work.envBatch));
    if (others.length === 0) return;
    this.backups++;
    expect(others, "holders").toHaveLength(1);
    const [straggler] = others as [TestActor];
    expect(straggler.id).not.toBe(actor.id);
    const late = valid(straggler).find((lease) => lease.work.envBatch === work.envBatch)!;
    expect(late.work).toEqual(work);
    expect(this.now - straggler.granted.get(late.id)!).toBeGreaterThanOrEqual(lateMs);
    expect(actor.revoked.size, "owes no answer").toBe(0);
    const own = valid(actor);
    expect(own.length === 0 || actor.capacity - own.length >= 2, "nothing to do").toBe(true);
    for (const lease of own) expect(this.now - actor.granted.get(lease.id)!).toBeLessThan(lateMs);
    const leased = new Set(this.actors.flatMap(valid).map((lease) => lease.work.envBatch));
    expect(this.rounds.openWork(leased), "nothing waits").toEqual([]);
  }

  /** Whatever is open has nobody who may take it now. */
  checkAllLeased(): void {
    if (this.paused) return;
    const leased = new Set<number>();
    for (const { held, revoked } of this.actors)
      for (const lease of held.values()) if (!revoked.has(lease.id)) leased.add(lease.work.envBatch);
    if (this.rounds.openWork(leased).length === 0) return;
    // Only an actor that failed on it or was too slow may be left out, and only while another one works.
    const clean = this.actors.filter(({ held, capacity }) => held.size < capacity);
    for (const actor of clean) expect(actor.revoked.size + this.failures, "left out for a reason").toBeGreaterThan(0);
  }

  join(capacity: number): void {
    const actor = new TestActor(this, `actor-${this.#made++}`, capacity);
    this.actors.push(actor);
    this.collection.join(actor);
  }

  leave(actor: TestActor): void {
    this.actors.splice(this.actors.indexOf(actor), 1);
    this.orphans.push(...actor.held.values());
    this.collection.leave(actor);
    actor.held.clear();
  }

  answer(actor: TestActor, lease: Lease): Verdict {
    const { envBatch, round, policy } = lease.work;
    const key = {
      runId: "run",
      generation,
      envBatch,
      round,
      policyVersion: policy.version,
      policyDigest: policy.digest,
    };
    const rollout = syntheticRollout(key, actor.id);
    actor.held.delete(lease.id);
    actor.revoked.delete(lease.id);
    actor.cached.add(`${envBatch}:${round + 1}`);
    return this.collection.offer(actor, lease.id, rollout, sha256Hex(rollout.endState), (_, { standing }) => {
      this.standings.push(standing);
    });
  }

  update(): boolean {
    const rollouts = this.rounds.round();
    if (rollouts === null) return false;
    const k = this.rounds.updatesDone;
    for (const { key } of rollouts) this.trained.push(`${key.envBatch}:${key.round}`);
    if (this.lag !== "async") {
      expect(rollouts.map(({ key }) => [key.envBatch, key.round])).toEqual(rollouts.map((_, b) => [b, k]));
      expect(this.rounds.untrained).toBeLessThanOrEqual(this.envBatches * (1 + this.lag));
    } else {
      expect(rollouts).toHaveLength(this.envBatches);
      for (const { key } of rollouts) expect(k - key.policyVersion).toBeLessThanOrEqual(4);
      expect(this.rounds.untrained).toBeLessThanOrEqual(this.envBatches * 3);
    }
    this.collection.trained();
    this.newest = k + 1;
    this.collection.policyPublished({ version: k + 1, digest: digestOf(k + 1) });
    return true;
  }
}
