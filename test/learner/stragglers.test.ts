import { describe, expect, it } from "vitest";
import type { Lease } from "../../learner/leaseSession.ts";
import { lateMs, leaseMs, type TestActor, World } from "./leaseWorld.ts";

/** Actors of these capacities on a run of `envBatches`; what each holds after joining. */
function fleet(envBatches: number, ...capacities: number[]): { world: World; actors: TestActor[] } {
  const world = new World(envBatches, 5, 0);
  world.collection.pause(); // so that the first to join does not take all
  for (const capacity of capacities) world.join(capacity);
  world.collection.resume();
  return { world, actors: [...world.actors] };
}
const leasesOf = (actor: TestActor): Lease[] => [...actor.held.values()];
const leaseOf = (actor: TestActor): Lease => leasesOf(actor)[0]!;

function pass(world: World, ms: number): void {
  world.now += ms;
  world.collection.expire();
}

describe("a late lease", () => {
  it("goes to an idle actor as well; its answer is taken, the straggler's is a duplicate", () => {
    const { world, actors } = fleet(2, 1, 1);
    const [straggler, helper] = actors as [TestActor, TestActor];
    const late = leaseOf(straggler);
    world.answer(helper, leaseOf(helper));
    pass(world, lateMs - 1);
    expect(helper.held.size).toBe(0);
    pass(world, 1);
    const backup = leaseOf(helper);
    expect(backup.work).toEqual(late.work);
    expect(straggler.revoked.size, "it goes on").toBe(0);
    expect(world.answer(helper, backup)).toEqual({ outcome: "taken" });
    expect([...straggler.revoked]).toEqual([late.id]);
    expect(world.answer(straggler, late)).toEqual({ outcome: "duplicate" });
    expect(world.standings).toEqual(["held", "held", "outrun"]);
    expect(world.update()).toBe(true);
    expect(world.trained).toEqual(["0:0", "1:0"]);
    expect(world.collection.counts()).toMatchObject({
      backups_granted: 1,
      backups_won: 1,
      rollouts_duplicate: 1,
      leases_expired: 0,
    });
  });

  it("that is answered after all makes the backup the duplicate", () => {
    const { world, actors } = fleet(2, 1, 1);
    const [straggler, helper] = actors as [TestActor, TestActor];
    const late = leaseOf(straggler);
    world.answer(helper, leaseOf(helper));
    pass(world, lateMs);
    const backup = leaseOf(helper);
    expect(world.answer(straggler, late)).toEqual({ outcome: "taken" });
    expect([...helper.revoked]).toEqual([backup.id]);
    expect(world.answer(helper, backup)).toEqual({ outcome: "duplicate" });
    expect(world.collection.counts()).toMatchObject({ backups_granted: 1, backups_won: 0, rollouts_duplicate: 1 });
    expect(world.answerTimes, "all good answers tell what leases take").toEqual([0, lateMs, 0]);
  });

  it("that expires leaves its backup the only holder, which is late in its turn: never more than two", () => {
    const { world, actors } = fleet(2, 1, 1, 1);
    const [straggler, helper, idle] = actors as [TestActor, TestActor, TestActor];
    world.answer(helper, leaseOf(helper));
    pass(world, lateMs);
    const helping = [helper, idle].filter((actor) => actor.held.size > 0);
    expect(helping).toHaveLength(1);
    pass(world, leaseMs - lateMs); // the straggler's lease ends; its backup is late itself by now
    expect([...straggler.revoked]).toHaveLength(1);
    expect([helper, idle].map((actor) => actor.held.size)).toEqual([1, 1]);
    expect(world.leases.outstanding).toBe(2);
    world.leave(straggler);
    for (const actor of [helper, idle]) world.answer(actor, leaseOf(actor));
    expect(world.leases.outstanding).toBe(0);
    expect(world.update()).toBe(true);
  });
});

describe("no backup is given", () => {
  it("where the straggler is the only actor, however much credit it has", () => {
    const { world, actors } = fleet(2, 4);
    pass(world, lateMs);
    expect(leasesOf(actors[0]!)).toHaveLength(2);
  });

  it("to an actor that is late itself", () => {
    const { world, actors } = fleet(2, 3, 3);
    pass(world, lateMs);
    expect(actors.map((actor) => actor.held.size)).toEqual([1, 1]);
  });

  it("to an actor whose last credit it would be: actors ask for one lease more than they have workers", () => {
    for (const [capacity, backups] of [
      [2, 0],
      [3, 1],
    ] as const) {
      const { world, actors } = fleet(2, 1, capacity);
      const [first, second] = actors as [TestActor, TestActor];
      world.now += lateMs - 1;
      const again = leaseOf(second);
      second.held.delete(again.id);
      world.collection.returned(second, again.id, "policy_unavailable", false, false);
      expect(leaseOf(second), "so that it is not late with the first actor's").toBeDefined();
      pass(world, 1);
      expect([first.held.size, second.held.size]).toEqual([1, 1 + backups]);
    }
  });

  it("to an actor that failed on that EnvBatch", () => {
    const { world, actors } = fleet(1, 1, 1);
    const [first, second] = actors as [TestActor, TestActor];
    const lease = leaseOf(first);
    first.held.delete(lease.id);
    world.collection.returned(first, lease.id, "environment_failed: no memory", false, true);
    expect(leaseOf(second).work).toEqual(lease.work);
    pass(world, lateMs);
    expect(first.held.size).toBe(0);
  });

  it("while other work waits for an actor", () => {
    const { world, actors } = fleet(2, 1, 1);
    const broken = actors[0]!;
    const lease = leaseOf(broken);
    broken.held.delete(lease.id);
    world.collection.returned(broken, lease.id, "environment_failed: no memory", false, true); // waits for the busy one
    pass(world, lateMs);
    expect(broken.held.size).toBe(0);
  });

  it("in a paused run", () => {
    const { world, actors } = fleet(2, 1, 1);
    world.answer(actors[1]!, leaseOf(actors[1]!));
    world.collection.pause();
    world.paused = true;
    pass(world, lateMs);
    expect(actors[1]!.held.size).toBe(0);
  });
});

describe("an actor that let a lease expire", () => {
  it("does not get the work again while another one has credit, though it keeps the state", () => {
    const { world, actors } = fleet(2, 2, 2);
    const [stopped, other] = actors as [TestActor, TestActor];
    for (const actor of actors) world.answer(actor, leaseOf(actor));
    world.update();
    const stuck = leaseOf(stopped);
    expect(stuck.withState).toBe(false);
    world.answer(other, leaseOf(other));
    pass(world, leaseMs);
    expect([...stopped.revoked]).toEqual([stuck.id]);
    expect(stopped.held.size).toBe(1);
    expect(leaseOf(other)).toMatchObject({ work: stuck.work, withState: true });
    // SIGCONT: whoever answers first is taken
    expect(world.answer(stopped, stuck)).toEqual({ outcome: "taken" });
    expect(world.answer(other, leaseOf(other))).toEqual({ outcome: "duplicate" });
    expect(world.standings.slice(-2)).toEqual(["expired", "outrun"]);
  });

  it("gets new work only after those that owe nothing", () => {
    const { world, actors } = fleet(2, 5, 3);
    const [slow, other] = actors as [TestActor, TestActor];
    // The larger one gets both EnvBatches, and both are late.
    pass(world, lateMs);
    for (const backup of leasesOf(other)) world.answer(other, backup);
    expect(slow.revoked.size).toBe(2);
    world.collection.pause();
    world.update();
    world.leave(other); // so that nobody keeps the states
    world.join(2);
    world.collection.resume();
    expect([slow.held.size, world.actors[1]!.held.size], "two running rollouts; the whole next round").toEqual([2, 2]);
  });

  it("does not get it again while a busy one may soon take it", () => {
    const world = new World(2, 5, 1);
    world.join(1);
    world.join(3);
    const [busy, stopped] = world.actors as [TestActor, TestActor];
    const stuck = leaseOf(stopped);
    pass(world, leaseMs / 2);
    world.answer(busy, leaseOf(busy)); // and begins its next one
    pass(world, leaseMs / 2);
    expect([...stopped.revoked]).toEqual([stuck.id]);
    expect([stopped.held.size, busy.held.size]).toEqual([1, 1]);
    world.answer(busy, leaseOf(busy));
    expect(leaseOf(busy).work).toEqual(stuck.work);
  });

  it("gets it again if it is the only one", () => {
    const { world, actors } = fleet(1, 2);
    const first = leaseOf(actors[0]!);
    pass(world, leaseMs);
    const again = leasesOf(actors[0]!).find(({ id }) => id !== first.id)!;
    expect(again.work).toEqual(first.work);
    expect(world.answer(actors[0]!, first)).toEqual({ outcome: "taken" });
    expect([...actors[0]!.revoked]).toEqual([again.id]);
    world.collection.returned(actors[0]!, again.id, "already_answered", false, false);
    expect(world.leases.outstanding).toBe(0);
  });
});
