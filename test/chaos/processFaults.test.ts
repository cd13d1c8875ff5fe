import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../system/command.ts";
import { between, chaosRandom } from "./chaosReport.ts";
import { pacedCartPole } from "./configs.ts";
import type { Fleet } from "./fleet.ts";
import { chaosDeploy } from "./fleetLaunch.ts";
import type { Resources } from "./fleetProcess.ts";
import { startFleet, trainFleet, undisturbed } from "./fleets.ts";
import { checkLeases } from "./pausedFleet.ts";
import { outcomeDifferences, type RunOutcome } from "./runRecord.ts";
import { until } from "./until.ts";

const config = pacedCartPole(120);

/** The same run without faults, and nothing that the faults left behind in memory or descriptors. */
async function expectUnharmed(fleet: Fleet, before: Record<string, Resources>): Promise<RunOutcome["circumstances"]> {
  await checkLeases(fleet);
  for (const [name, now] of Object.entries(fleet.resources())) {
    const then = before[name];
    if (then === undefined) continue;
    expect(now.openFiles, `${name}'s descriptors`).toBeLessThanOrEqual(then.openFiles + 8);
    expect(now.rssBytes, `${name}'s memory`).toBeLessThan(then.rssBytes + 120 * 2 ** 20);
  }
  const outcome = await fleet.finished();
  expect(outcomeDifferences(await undisturbed(fleet.options.config), outcome)).toEqual([]);
  return outcome.circumstances;
}

/** Answers to taken work, counted as duplicate or stale; allows the newest ones a second to arrive. */
async function lateAnswers(fleet: Fleet): Promise<number> {
  for (let waits = 0; ; waits++) {
    const metrics = Object.entries(await fleet.metrics("learner"));
    const late = metrics.filter(([name]) => /^anchorage_learner_rollouts_(duplicate|stale)_total/.test(name));
    const count = late.reduce((sum, [, value]) => sum + value, 0);
    if (count > 0 || waits === 10) return count;
    await delay(100);
  }
}

describe("while it trains, a run survives", () => {
  it("actors killed, and others joining", async () => {
    const random = chaosRandom("actor SIGKILL");
    const fleet = await startFleet({ config, actors: 3, stepMs: 1 });
    await fleet.update(2);
    const before = fleet.resources();
    for (const from of [3, 15, 27]) {
      await fleet.update(between(random, from, from + 6));
      await fleet.kill(fleet.actors[0]!);
      await fleet.recovered("actor SIGKILL");
      await fleet.addActor();
    }
    await expectUnharmed(fleet, before);
  });

  it("an actor stopped for longer than its lease: its work goes to another, its late answer is not trained on", async () => {
    const fleet = await startFleet({ config: pacedCartPole(200), actors: 2, stepMs: 1 });
    await fleet.update(5);
    const before = fleet.resources();
    let late = 0;
    for (let tries = 0; tries < 5 && late === 0; tries++) {
      await fleet.kill("actor-1", "SIGSTOP");
      await fleet.recovered("actor SIGSTOP, another takes its lease");
      await delay(chaosDeploy.leaseSeconds * 1500);
      await fleet.kill("actor-1", "SIGCONT");
      await fleet.recovered("actor SIGCONT after its lease ended");
      late = await lateAnswers(fleet); // 0: it was stopped while it had nothing at work
    }
    expect(late).toBeGreaterThan(0);
    expect((await fleet.metrics("learner")).anchorage_learner_actors).toBe(2);
    const { leasesExpired, backupsGranted } = await expectUnharmed(fleet, before);
    expect(leasesExpired + backupsGranted).toBeGreaterThan(0);
  });

  it("the only actor stopped for longer than its lease", async () => {
    const fleet = await startFleet({ config: pacedCartPole(60), actors: 1, stepMs: 1 });
    await fleet.update(5);
    const before = fleet.resources();
    await fleet.kill("actor-1", "SIGSTOP");
    await delay(chaosDeploy.leaseSeconds * 1500);
    await fleet.kill("actor-1", "SIGCONT");
    await fleet.recovered("only actor SIGSTOP, SIGCONT");
    await expectUnharmed(fleet, before);
  });

  it.each(["heap", "buffers"])("an actor whose environment eats all of its memory (%s)", async (food) => {
    const folder = temporaryFolder();
    const meal = join(folder.path, "meal");
    const hungry = { ...config, env: "test/chaos/fixtures/hungryEnvironment.ts", envOptions: { meal, food } };
    const fleet = await startFleet({
      config: hungry,
      actors: 2,
      stepMs: 1,
      ...(food === "heap" && { env: () => ({ NODE_OPTIONS: "--max-old-space-size=80" }) }),
      ...(food === "buffers" && { wrap: (name) => (name.startsWith("actor") ? ["prlimit", "--data=800000000"] : []) }),
    });
    for (const name of fleet.actors) fleet.keepAlive(name);
    await fleet.update(5);
    writeFileSync(meal, "");
    while (existsSync(meal)) await delay(20);
    await fleet.recovered(`actor out of memory (${food})`);
    await fleet.update(fleet.records().length + 5);
    const { weightsSha256, numbers } = await undisturbed(config); // the same cart and pole
    expect(await fleet.finished()).toMatchObject({ weightsSha256, numbers });
    folder.remove();
  });

  it("its learner stopping in good order and another one taking its place; the actors hold on", async () => {
    const fleet = await startFleet({ config, actors: 2, stepMs: 1 });
    await fleet.update(10);
    const pids = fleet.actors.map((name) => fleet.process(name).pid);
    await fleet.kill("learner", "SIGTERM");
    expect(fleet.process("learner").end).toMatchObject({ code: 0 });
    await fleet.launch("learner");
    await fleet.recovered("learner SIGTERM, another started");
    expect(fleet.actors.map((name) => fleet.process(name).pid)).toEqual(pids);
    await expectUnharmed(fleet, {});
  });

  it("its learner told to stop while its coordinator is away: what is not recorded is made again by the next one", async () => {
    const fleet = trainFleet({ config, stepMs: 4, deploy: { drainSeconds: 1 } });
    fleet.start();
    await fleet.update(5);
    const [coordinator] = fleet.pids("coordinator");
    const [learner] = fleet.pids("learner");
    process.kill(coordinator!, "SIGSTOP");
    await delay(1_500); // some updates that nobody hears of
    process.kill(learner!, "SIGTERM");
    // it waits drainSeconds (1), and not for the coordinator
    await until("the learner has ended", async () => !fleet.pids("learner").includes(learner!), 30_000);
    process.kill(coordinator!, "SIGCONT");
    await fleet.recovered("learner SIGTERM while the coordinator is stopped");
    await checkLeases(fleet);
    expect(outcomeDifferences(await undisturbed(config), await fleet.finished())).toEqual([]);
    expect((await fleet.ended).stderr).toMatch(/learner ended \(\[BUSY\] .* not recorded;.*starting it again/);
  });

  it("its coordinator being away: training goes on, reports and checkpoints arrive later", async () => {
    const fleet = await startFleet({ config, actors: 2, stepMs: 1 });
    await fleet.update(5);
    const before = fleet.resources();
    const updates = async (): Promise<number> => (await fleet.metrics("learner")).anchorage_learner_updates!;
    await fleet.kill("coordinator");
    const atKill = await updates();
    while ((await updates()) < atKill + 15) await delay(50);
    expect((await fleet.metrics("learner")).anchorage_learner_checkpoint_waiting).toBe(1);
    await fleet.launch("coordinator");
    await fleet.recovered("coordinator away while 15 updates were made");
    await expectUnharmed(fleet, {
      learner: before.learner!,
      "actor-1": before["actor-1"]!,
      "actor-2": before["actor-2"]!,
    });
  });

  it("NATS killed and started again, which loses the policies that it keeps in memory", async () => {
    const random = chaosRandom("nats");
    const fleet = await startFleet({ config, actors: 2, stepMs: 1 });
    await fleet.update(3);
    const before = fleet.resources();
    for (const from of [4, 20]) {
      await fleet.update(between(random, from, from + 8));
      await fleet.kill("nats");
      await delay(between(random, 0, 1_500));
      await fleet.launch("nats");
      await fleet.recovered("NATS SIGKILL, started again");
    }
    delete before.nats;
    await expectUnharmed(fleet, before);
  });
});
