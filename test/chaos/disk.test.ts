import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, expect, it } from "vitest";
import { faultTable } from "./chaosReport.ts";
import { Fleet } from "./fleet.ts";
import { pacedBy, pacedCartPole, recovered, undisturbedRun } from "./pacedRun.ts";
import { until } from "./proxiedFleet.ts";
import { newestCheckpoint, outcomeDifferences } from "./runRecord.ts";
import { noSmallDisk, SmallDisk } from "./smallDisk.ts";

const missing = noSmallDisk();
const config = pacedCartPole(50);

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
afterAll(() => console.log(faultTable()));

/** A run with everything on one small disk: the run folder, NATS's storage, the logs. */
async function startOn(disk: SmallDisk): Promise<Fleet> {
  const options = { folder: disk.path, config, actors: 2, env: pacedBy(5), label: "disk.test.ts" };
  const fleet = await Fleet.start(options);
  cleanUps.push(() => fleet.dispose());
  return fleet;
}

it.skipIf(missing !== null)(`training goes on while the disk is full, and loses nothing ${missing ?? ""}`, async () => {
  const undisturbed = await undisturbedRun(config);
  const disk = await SmallDisk.mount(48);
  cleanUps.push(() => disk.remove());
  const fleet = await startOn(disk);
  await until("a checkpoint is stored", async () => (await fleet.status()).run!.newest_checkpoint > 0);
  const metric = async (name: string): Promise<number> =>
    (await fleet.metrics("learner"))[`anchorage_learner_${name}`]!;

  disk.fill();
  const failures = async () => (await fleet.metrics("coordinator")).anchorage_coordinator_storage_failures_total!;
  await until("the coordinator counts failed writes", async () => (await failures()) > 0);
  const kept = newestCheckpoint(fleet.runDir).digest;
  const done = await metric("updates");
  await until("training goes on", async () => (await metric("updates")) >= done + 5);
  expect(await metric("checkpoint_waiting")).toBe(1);
  expect(newestCheckpoint(fleet.runDir).digest).toBe(kept);
  await until("the status says so", async () => (await fleet.status()).learner?.checkpointWaiting === true);

  await fleet.kill("coordinator"); // what it had no space for is with the learner
  disk.free();
  await fleet.launch("coordinator");
  await recovered(fleet, "disk full");
  await until("the newest checkpoint is stored", async () => (await metric("checkpoint_waiting")) === 0);
  expect(fleet.logTail("learner", 100_000)).toContain("the disk is full (ENOSPC)");
  expect(outcomeDifferences(undisturbed, await fleet.finished(250_000))).toEqual([]);
  expect(readdirSync(join(fleet.runDir, "tensorboard")).length).toBe(1);
});

it.skipIf(missing !== null)(
  `a run stopped on a full disk goes on from its last stored checkpoint ${missing ?? ""}`,
  async () => {
    const undisturbed = await undisturbedRun(config);
    const disk = await SmallDisk.mount(48);
    cleanUps.push(() => disk.remove());
    const fleet = await startOn(disk);
    await until("a checkpoint is stored", async () => (await fleet.status()).run!.newest_checkpoint > 0);
    disk.fill();
    const failures = async () => (await fleet.metrics("coordinator")).anchorage_coordinator_storage_failures_total!;
    await until("writes fail", async () => (await failures()) > 0);
    for (const name of fleet.names) await fleet.kill(name); // all of it, as by a power loss
    disk.free();
    for (const name of ["nats", "coordinator", "learner", "actor-1"] as const) await fleet.launch(name);
    await recovered(fleet, "killed on a full disk");
    expect(outcomeDifferences(undisturbed, await fleet.finished(250_000))).toEqual([]);
  },
);
