import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { between, chaosRandom, choose, type Random } from "./chaosReport.ts";
import { pacedCartPole, tinyMujoco } from "./configs.ts";
import type { Fleet } from "./fleet.ts";
import type { ProcessName } from "./fleetLaunch.ts";
import { startFleet, trainFleet, undisturbed } from "./fleets.ts";
import { checkLeases } from "./pausedFleet.ts";
import { outcomeDifferences } from "./runRecord.ts";

const config = pacedCartPole(70);

const victimsOf = (kind: string, fleet: Fleet): ProcessName[] => {
  if (kind === "all actors") return fleet.actors;
  if (kind === "all processes") return fleet.names;
  return [kind as ProcessName];
};

/** SIGKILL at a random moment of a random update from `from` on, then a new start. */
async function killAndRestart(fleet: Fleet, kind: string, from: number, random: Random): Promise<void> {
  await fleet.update(between(random, from, from + 8));
  await delay(between(random, 0, 150)); // the moment within an update is part of what is tried
  const victims = victimsOf(kind, fleet);
  await Promise.all(victims.map((name) => fleet.kill(name)));
  for (const name of victims) await fleet.launch(name);
  await fleet.recovered(`${kind} SIGKILL`);
}

describe("killed at random moments, again and again, a run ends with the same weights", () => {
  it.each(["learner", "coordinator", "all actors", "nats", "all processes"])("%s", async (kind) => {
    const random = chaosRandom(`resume ${kind}`);
    // training goes on while the coordinator starts: slow enough that the run is not over by then
    const fleet = await startFleet({ config, actors: 2, stepMs: kind === "coordinator" ? 4 : 1 });
    for (const from of [1, 14, 28]) await killAndRestart(fleet, kind, from, random);
    await checkLeases(fleet);
    expect(outcomeDifferences(await undisturbed(config), await fleet.finished())).toEqual([]);
  });

  it("any of them at policy lag 1, on MuJoCo", async () => {
    const random = chaosRandom("resume lag 1");
    const mujoco = { ...tinyMujoco, policyLag: 1, totalSteps: 20 * 16 * 300 };
    const fleet = await startFleet({ config: mujoco, actors: 2 });
    const kinds = ["learner", "learner", "coordinator", "all actors", "nats", "all processes"] as const;
    for (const from of [1, 25, 50]) await killAndRestart(fleet, choose(random, kinds), from, random);
    await checkLeases(fleet);
    expect(outcomeDifferences(await undisturbed(mujoco), await fleet.finished())).toEqual([]);
  });

  it("train with all that it started, then --resume", async () => {
    const random = chaosRandom("resume train");
    const fleet = trainFleet({ config, stepMs: 1 });
    fleet.start();
    for (const from of [1, 24]) {
      await fleet.update(between(random, from, from + 12));
      await delay(between(random, 0, 150));
      await fleet.killAll();
      fleet.start("resume");
      await fleet.recovered("train SIGKILL, all processes");
    }
    await checkLeases(fleet);
    expect(outcomeDifferences(await undisturbed(config), await fleet.finished())).toEqual([]);
  });
});

describe("killed in a delicate moment, a run ends with the same weights", () => {
  it("the coordinator while it writes a checkpoint, and the learner with it", async () => {
    const random = chaosRandom("resume checkpoint");
    const fleet = await startFleet({ config, actors: 2, stepMs: 1, deploy: { checkpointEvery: 1 } });
    let torn = 0;
    for (const from of [2, 14, 28]) {
      await fleet.update(between(random, from, from + 6));
      await checkpointBeingWritten(fleet.runDir);
      await Promise.all([fleet.kill("coordinator"), fleet.kill("learner")]);
      torn += unfinishedIn(fleet.runDir).length;
      await fleet.launch("coordinator");
      await fleet.launch("learner");
      await fleet.recovered("coordinator and learner SIGKILL in mid-checkpoint");
    }
    await checkLeases(fleet);
    expect(torn).toBeGreaterThan(0); // else the kills came at the wrong moments, and this test showed nothing
    expect(outcomeDifferences(await undisturbed(config), await fleet.finished())).toEqual([]);
  });

  it("everything before the first update, one after the other", async () => {
    const random = chaosRandom("resume start");
    const fleet = await startFleet({ config, actors: 1, stepMs: 1 });
    for (const name of ["learner", "coordinator", "actor-1", "nats"] as const) {
      await delay(between(random, 0, 400));
      await fleet.restart(name);
    }
    await fleet.recovered("all processes SIGKILL before the first update");
    await checkLeases(fleet);
    expect(outcomeDifferences(await undisturbed(config), await fleet.finished())).toEqual([]);
  });

  it.each(["learner", "coordinator"] as const)("the %s while the run ends", async (name) => {
    const random = chaosRandom(`resume end ${name}`);
    const fleet = await startFleet({ config, actors: 2, stepMs: 1 });
    await fleet.update(60);
    await checkLeases(fleet); // while it can be paused; at the end checkedOutcome sees that none is out
    await fleet.update(69);
    await delay(between(random, 0, 120));
    await fleet.restart(name);
    await fleet.recovered(`${name} SIGKILL while the run ends`, { whileEnding: true });
    expect(outcomeDifferences(await undisturbed(config), await fleet.finished())).toEqual([]);
  });
});

const unfinishedIn = (runDir: string): string[] =>
  readdirSync(join(runDir, "checkpoints")).filter((name) => name.includes(".unfinished-"));

/** Resolves at the moment when a checkpoint's file is there and not whole. */
async function checkpointBeingWritten(runDir: string): Promise<void> {
  while (unfinishedIn(runDir).length === 0) await new Promise((resolve) => setImmediate(resolve));
}
