import { afterAll, afterEach, expect } from "vitest";
import { temporaryFolder } from "../system/command.ts";
import { faultTable } from "./chaosReport.ts";
import { Fleet } from "./fleet.ts";
import type { FleetOptions } from "./fleetLaunch.ts";
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
