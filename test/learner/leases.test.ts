import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lateMs, leaseMs, TestActor, World } from "./leaseWorld.ts";

type Step = readonly [kind: number, a: number, b: number];

function play(world: World, [kind, a, b]: Step): void {
  const actor = world.actors[a % Math.max(1, world.actors.length)];
  const lease = actor && [...actor.held.values()][b % Math.max(1, actor.held.size)];
  if (kind === 0) world.join(1 + (a % 3));
  else if (kind >= 12) {
    world.now += lateMs; // nothing expires at once, but what is out is late
    world.collection.expire();
  } else if (kind === 1 && actor) world.leave(actor);
  else if (kind === 2) {
    world.now += b * 100;
    world.collection.expire();
  } else if (kind === 3) world.update();
  else if (kind === 4) {
    world.paused = b % 2 === 0;
    if (world.paused) world.collection.pause();
    else world.collection.resume();
  } else if (kind === 5 && actor && lease) {
    actor.held.delete(lease.id);
    actor.revoked.delete(lease.id);
    if (b % 2 === 0) actor.cached.delete(`${lease.work.envBatch}:${lease.work.round}`);
    const failed = b % 5 === 1 && world.failures < 2; // three in a row end the run
    if (failed) world.failures++;
    world.collection.returned(actor, lease.id, "test", b % 2 === 0, failed);
  } else if (kind === 6 && actor && world.orphans.length > 0) {
    world.answer(actor, world.orphans[b % world.orphans.length]!); // a late or repeated answer, on another stream
  } else if (actor && lease) world.answer(actor, lease);
  world.checkAllLeased();
}

/** A last good actor plays whatever is open until all is trained. */
function finish(world: World): void {
  for (const actor of [...world.actors]) world.leave(actor);
  world.paused = false;
  world.collection.resume();
  world.join(2);
  const actor = world.actors[0]!;
  for (let i = 0; i < 1000; i++) {
    const lease = [...actor.held.values()][0];
    if (lease) world.answer(actor, lease);
    else if (!world.update()) return;
  }
  throw new Error("the run does not end");
}

const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 13 }), fc.nat(20), fc.nat(20)), {
  maxLength: 120,
  size: "large",
});

describe("leases and rounds under any interleaving", () => {
  for (const lag of [0, 1] as const)
    it(`trains every (EnvBatch, round) exactly once and in order at policy lag ${lag}`, () => {
      let backups = 0;
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 4 }),
          fc.integer({ min: 1, max: 5 }),
          steps,
          (envBatches, rounds, events) => {
            const world = new World(envBatches, rounds, lag);
            for (const event of events) play(world, event);
            finish(world);
            const all = Array.from({ length: rounds }, (_, k) =>
              Array.from({ length: envBatches }, (_, b) => `${b}:${k}`),
            );
            expect(world.trained).toEqual(all.flat());
            expect(world.leases.outstanding, "leaked leases").toBe(0);
            backups += world.backups;
          },
        ),
        { numRuns: 400, seed: 7 },
      );
      expect(backups, "late leases with a second holder on the way").toBeGreaterThan(20);
    });

  it("async: trains on no rollout twice, on none older than maxPolicyLag, and on exactly rounds x EnvBatches", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 5 }),
        steps,
        (envBatches, rounds, events) => {
          const world = new World(envBatches, rounds, "async");
          for (const event of events) play(world, event);
          finish(world);
          expect(new Set(world.trained).size).toBe(world.trained.length);
          expect(world.trained.length).toBe(rounds * envBatches);
          expect(world.leases.outstanding, "leaked leases").toBe(0);
        },
      ),
      { numRuns: 400, seed: 8 },
    );
  });
});

/** Every actor answers its oldest lease in turn until the round is whole; then the update. Gives who had work at once. */
function playRound(world: World): Set<string> {
  const worked = new Set<string>();
  for (let turn = 0; turn < 100; turn++) {
    for (const actor of [...world.actors]) {
      const lease = [...actor.held.values()][0];
      if (lease === undefined) continue;
      worked.add(actor.id);
      world.answer(actor, lease);
    }
    if (world.update()) return worked;
  }
  throw new Error("the round does not end");
}

describe("a lease", () => {
  it("goes to the actor that holds the EnvBatch's state, and then without the state's bytes", () => {
    const world = new World(2, 5, 0);
    world.join(1);
    world.join(1);
    const [first, second] = world.actors as [TestActor, TestActor];
    const worked = [first, second].map((actor) => [...actor.held.values()][0]!);
    world.answer(first, worked[0]!);
    world.answer(second, worked[1]!);
    world.update();
    for (const [i, actor] of [first, second].entries()) {
      const lease = [...actor.held.values()][0]!;
      expect([lease.work.envBatch, lease.work.round, lease.withState]).toEqual([worked[i]!.work.envBatch, 1, false]);
    }
  });

  for (const lag of [0, 1] as const)
    for (const [actors, envBatches] of [
      [5, 10],
      [5, 4],
      [3, 4],
      [4, 4],
    ] as const)
      it(`is spread at policy lag ${lag}: of ${actors} actors that join late, ${Math.min(actors, envBatches)} get some of ${envBatches} EnvBatches`, () => {
        const world = new World(envBatches, 12, lag);
        for (const late of Array.from({ length: actors }, (_, i) => i)) {
          world.join(2); // one worker and a lease that queues
          playRound(world);
          expect(playRound(world).size, `with ${late + 1} actors`).toBe(Math.min(late + 1, envBatches));
        }
        expect(playRound(world).size).toBe(Math.min(actors, envBatches));
      });

  it("of which an actor's workers have enough queues where its state is: only what an idle worker gets moves", () => {
    const world = new World(4, 5, 0);
    world.join(2);
    world.join(2);
    playRound(world);
    playRound(world);
    const [first, second] = world.actors as [TestActor, TestActor];
    const leases = [first, second].flatMap(({ held }) => [...held.values()]);
    expect(leases.map(({ withState }) => withState)).toEqual([false, false, false, false]);
    world.join(2); // and joins a round that is all leased
    playRound(world);
    const moved = world.actors.flatMap(({ held }) => [...held.values()].filter(({ withState }) => withState));
    expect(moved).toHaveLength(1);
    expect(world.actors.map(({ held }) => held.size).sort()).toEqual([1, 1, 2]);
  });

  it("carries the state's bytes to an actor that does not hold it, or that lost it", () => {
    const world = new World(1, 5, 0);
    world.join(1);
    const first = world.actors[0]!;
    world.answer(first, [...first.held.values()][0]!);
    world.update();
    const cachedLease = [...first.held.values()][0]!;
    first.held.delete(cachedLease.id);
    world.collection.returned(first, cachedLease.id, "need_state", true, false);
    expect([...first.held.values()][0]).toMatchObject({ withState: true, work: { round: 1 } });
    world.join(1);
    world.leave(first);
    expect([...world.actors[0]!.held.values()][0]).toMatchObject({ withState: true, work: { round: 1 } });
  });

  it("that expires goes to another actor at once, and its old holder gets nothing more until it answers", () => {
    const world = new World(1, 5, 0);
    world.join(1);
    world.join(1);
    const [stuck, fresh] = world.actors as [TestActor, TestActor];
    const late = [...stuck.held.values()][0]!;
    world.now = leaseMs;
    expect(world.collection.expire()).toBe(1);
    expect([...stuck.revoked]).toEqual([late.id]);
    const again = [...fresh.held.values()][0]!;
    expect(again.work).toEqual(late.work);
    // both answer: the first is taken, the other is a duplicate
    expect(world.answer(stuck, late)).toEqual({ outcome: "taken" });
    expect([...fresh.revoked]).toEqual([again.id]);
    expect(world.answer(fresh, again)).toEqual({ outcome: "duplicate" });
  });

  it("of an actor that reconnects under its id is taken from the older stream", () => {
    const world = new World(1, 5, 0);
    world.join(1);
    const old = world.actors[0]!;
    const reborn = new TestActor(world, old.id, 1);
    world.actors.splice(0, 1, reborn);
    world.collection.join(reborn);
    expect([...reborn.held.values()][0]!.work.round).toBe(0);
    expect(world.leases.outstanding).toBe(1);
    expect(world.collection.leave(old)).toBe(0);
    expect(world.leases.outstanding).toBe(1);
  });

  it("whose work an environment cannot do is tried by three actors, then ends the run", async () => {
    const world = new World(1, 5, 0);
    for (let i = 0; i < 3; i++) world.join(1);
    const tried = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const actor = world.actors.find((one) => one.held.size > 0)!;
      const lease = [...actor.held.values()][0]!;
      tried.add(actor.id);
      actor.held.delete(lease.id);
      world.collection.returned(actor, lease.id, "environment_failed: NaN", false, true);
    }
    expect(tried.size).toBeGreaterThanOrEqual(2);
    await expect(world.collection.nextRound(new AbortController().signal)).rejects.toThrow(
      /EnvBatch 0 failed 3 times.*NaN/,
    );
  });

  it("that an actor could not do waits for a busy one rather than going back to it", () => {
    const world = new World(2, 5, 0);
    world.join(1);
    world.join(1);
    const [broken, busy] = world.actors as [TestActor, TestActor];
    const lease = [...broken.held.values()][0]!;
    broken.held.delete(lease.id);
    world.collection.returned(broken, lease.id, "environment_failed: no memory", false, true);
    expect(broken.held.size).toBe(0);
    world.answer(busy, [...busy.held.values()][0]!);
    expect([...busy.held.values()][0]!.work).toEqual(lease.work);
  });

  it("that one actor after the other does not answer is told with its EnvBatch, round and actors, until one does", () => {
    const world = new World(1, 5, 0);
    for (let i = 0; i < 4; i++) world.join(1);
    const expireHeld = (): TestActor => {
      const holder = world.actors.find(({ held, revoked }) => held.size > revoked.size)!;
      world.now += leaseMs;
      world.collection.expire();
      return holder;
    };
    expireHeld();
    const slow = expireHeld();
    expect(world.collection.unanswered(), "two may be slow, and a third one has it").toEqual([]);
    expireHeld();
    expect(world.collection.unanswered()).toEqual([
      expect.stringMatching(
        /^EnvBatch 0 of round 0 was leased and not answered 3 times, by actor-0, actor-1, actor-2\. /,
      ),
    ]);
    expireHeld();
    expect(world.collection.unanswered()[0]).toContain("actor-3; no actor is free to take it.");
    world.answer(slow, [...slow.held.values()][0]!); // it was only stopped: the run goes on
    expect(world.collection.unanswered()).toEqual([]);
    expect(world.update()).toBe(true);
  });

  it("is not given to a retiring actor", () => {
    const world = new World(2, 5, 0);
    world.join(1);
    const actor = world.actors[0]!;
    world.collection.retire(actor);
    world.answer(actor, [...actor.held.values()][0]!);
    expect(actor.held.size).toBe(0);
  });
});

it("actors wait for the share of their useful credit that is not leased", () => {
  const world = new World(2, 5, 0);
  world.join(1);
  world.join(3); // four slots, of which two EnvBatches can fill two: both are leased, nobody waits
  world.now = 4000;
  expect(world.actorsWait.total()).toBe(0);
  const leases = world.actors.flatMap((actor) => [...actor.held.values()].map((lease) => ({ actor, lease })));
  expect(leases).toHaveLength(2);
  world.answer(leases[0]!.actor, leases[0]!.lease); // one of two useful slots waits: half a second per second
  world.now = 6000;
  expect(world.actorsWait.total()).toBe(1);
  world.answer(leases[1]!.actor, leases[1]!.lease); // both wait for the update
  world.now = 7000;
  expect(world.actorsWait.total()).toBe(2);
});
