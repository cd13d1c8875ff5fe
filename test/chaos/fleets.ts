import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, expect } from "vitest";
import { temporaryFolder } from "../system/command.ts";
import { between, faultTable, type Random } from "./chaosReport.ts";
import { Fleet } from "./fleet.ts";
import type { FleetOptions, ProcessName } from "./fleetLaunch.ts";
import type { RunOutcome } from "./runRecord.ts";
import { TrainFleet } from "./trainFleet.ts";

const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
afterAll(() => console.log(faultTable()));

type Options = Omit<FleetOptions, "folder" | "label">;

/** A fleet in a folder of its own; both end with the test. */
export async function startFleet(options: Options): Promise<Fleet> {
  const folder = temporaryFolder();
  cleanUps.push(async () => folder.remove());
  const fleet = await Fleet.start({ ...options, folder: folder.path, label: expect.getState().currentTestName ?? "" });
  cleanUps.push(() => fleet.dispose());
  return fleet;
}

/** A run under `anchorage train`, not started yet, in a folder of its own; both end with the test. */
export function trainFleet(options: Options): TrainFleet {
  const folder = temporaryFolder();
  cleanUps.push(async () => folder.remove());
  const fleet = new TrainFleet({ ...options, folder: folder.path, label: expect.getState().currentTestName ?? "" });
  cleanUps.push(() => fleet.dispose());
  return fleet;
}

const references = new Map<string, Promise<RunOutcome>>();

/** What this config comes to with one actor and no faults; run once per test file. */
export function undisturbed(config: FleetOptions["config"]): Promise<RunOutcome> {
  const key = JSON.stringify(config);
  const known = references.get(key);
  if (known !== undefined) return known;
  const made = startFleet({ config, actors: 1 }).then((fleet) => fleet.finished());
  references.set(key, made);
  return made;
}

/**
 * A run whose actors come and go: two begin, three join one after the other, the first ones are drained on the way, and
 * one is stopped for 100 ms again and again: EnvBatches move between all of them.
 */
export async function changingFleet(config: FleetOptions["config"], random: Random): Promise<RunOutcome> {
  const fleet = await startFleet({ config, actors: 2 });
  const slow = await fleet.addActor();
  const pulses = pulse(fleet, slow);
  for (const name of fleet.actors.filter((other) => other !== slow)) {
    await fleet.update((fleet.records().at(-1)?.update ?? 0) + between(random, 2, 6));
    await fleet.addActor();
    await fleet.removeActor(name);
  }
  const outcome = await fleet.finished();
  await pulses;
  return outcome;
}

/** Stops and continues a process until it has ended. */
async function pulse(fleet: Fleet, name: ProcessName): Promise<void> {
  const slowed = fleet.process(name);
  while (slowed.end === null) {
    await slowed.kill("SIGSTOP");
    await delay(100);
    await slowed.kill("SIGCONT");
    await delay(50);
  }
}
