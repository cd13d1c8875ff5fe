import { setTimeout as delay } from "node:timers/promises";
import { afterAll, expect, onTestFinished } from "vitest";
import { temporaryFolder } from "../system/command.ts";
import { between, faultTable, type Random } from "./chaosReport.ts";
import { Fleet } from "./fleet.ts";
import type { FleetOptions, ProcessName } from "./fleetLaunch.ts";
import { rolloutsTaken, whilePaused } from "./pausedFleet.ts";
import type { RunOutcome } from "./runRecord.ts";
import { TrainFleet } from "./trainFleet.ts";
import { until } from "./until.ts";

afterAll(() => console.log(faultTable()));

export type StartOptions = Omit<FleetOptions, "folder" | "label"> & Partial<Pick<FleetOptions, "folder">>;

/** `folder`, or one of its own that ends with the test. */
function completed(options: StartOptions): FleetOptions {
  const label = expect.getState().currentTestName ?? "";
  if (options.folder !== undefined) return { ...options, folder: options.folder, label };
  const folder = temporaryFolder();
  onTestFinished(folder.remove);
  return { ...options, folder: folder.path, label };
}

/** A fleet that ends with the test. */
export async function startFleet(options: StartOptions): Promise<Fleet> {
  const fleet = await Fleet.start(completed(options));
  onTestFinished(() => fleet.dispose());
  return fleet;
}

/** A run under `anchorage train`, not started yet; it ends with the test. */
export function trainFleet(options: StartOptions): TrainFleet {
  const fleet = new TrainFleet(completed(options));
  onTestFinished(() => fleet.dispose());
  return fleet;
}

const references = new Map<string, Promise<RunOutcome>>();

/** What this config comes to with one actor and no faults, as fast as it goes; run once per test file. */
export function undisturbed(config: FleetOptions["config"]): Promise<RunOutcome> {
  const key = JSON.stringify(config);
  const known = references.get(key);
  if (known !== undefined) return known;
  const made = startFleet({ config, actors: 1 }).then((fleet) => fleet.finished(900_000));
  references.set(key, made);
  return made;
}

/**
 * A run that begins when all of its actors are connected. Fails where the learner took no rollout of one of them or did
 * not count them all: "five actors" must not be two that work and three that look on.
 */
export async function sharedRun(config: FleetOptions["config"], actors: number, workers = 1): Promise<RunOutcome> {
  const fleet = await startFleet({ config, actors, workers, paused: true });
  const connected = async () => (await fleet.metrics("learner")).anchorage_learner_actors;
  await until("all actors are connected", async () => (await connected()) === actors);
  await fleet.control("RESUME");
  await fleet.update(3);
  const taken = await whilePaused(fleet, () => Promise.all(fleet.actors.map((name) => rolloutsTaken(fleet, name))));
  expect(
    taken.map((rollouts) => rollouts > 0),
    `rollouts taken of each actor: ${taken.join(", ")}`,
  ).toEqual(new Array(actors).fill(true));
  const outcome = await fleet.finished();
  expect(Math.max(...fleet.records().map((record) => Number(record.actors)))).toBe(actors);
  return outcome;
}

/**
 * A run whose actors come and go: two begin, a slow one joins that is stopped for 100 ms again and again, and for each of
 * the first ones another joins before it is drained. Fails where the slow one or a newcomer had no part in it.
 */
export async function changingFleet(
  config: FleetOptions["config"],
  random: Random,
  stepMs?: number,
): Promise<RunOutcome> {
  const fleet = await startFleet({ config, actors: 2, ...(stepMs !== undefined && { stepMs }) });
  const [...first] = fleet.actors;
  const slow = await fleet.addActor();
  await welcomed(fleet, slow);
  const before = await rolloutsTaken(fleet, slow);
  const pulses = pulse(fleet, slow);
  for (const name of first) {
    await fleet.update((fleet.records().at(-1)?.update ?? 0) + between(random, 2, 6));
    await welcomed(fleet, await fleet.addActor());
    await fleet.removeActor(name);
  }
  for (const name of fleet.actors)
    await until(`${name} takes part`, async () => (await rolloutsTaken(fleet, name)) > (name === slow ? before : 0));
  const outcome = await fleet.finished();
  await pulses;
  return outcome;
}

async function welcomed(fleet: Fleet, name: ProcessName): Promise<void> {
  const connected = async () => (await fleet.metrics(name)).anchorage_actor_learner_connected === 1;
  await until(`${name} is welcomed`, connected, 180_000); // a learner may take most of a minute to start
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
