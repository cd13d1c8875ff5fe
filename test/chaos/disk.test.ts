import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { pacedCartPole } from "./configs.ts";
import { FailingDisk, noFailingDisk } from "./failingDisk.ts";
import type { Fleet } from "./fleet.ts";
import { startFleet, trainFleet, undisturbed } from "./fleets.ts";
import { newestCheckpoint, outcomeDifferences } from "./runRecord.ts";
import { named } from "./skipReason.ts";
import { noSmallDisk, SmallDisk } from "./smallDisk.ts";
import { until } from "./until.ts";

const missing = noSmallDisk();
const config = pacedCartPole(50);

/** A run with everything on one small disk: the run folder, the logs. */
async function startOnSmallDisk(): Promise<{ disk: SmallDisk; fleet: Fleet }> {
  const disk = await SmallDisk.mount(48);
  onTestFinished(() => disk.remove());
  return { disk, fleet: await startFleet({ folder: disk.path, config, actors: 2, stepMs: 5 }) };
}

it.skipIf(missing !== null)(named("training goes on while the disk is full, and loses nothing", missing), async () => {
  const { disk, fleet } = await startOnSmallDisk();
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
  await fleet.recovered("disk full", { timeoutMs: 60_000 });
  await until("the newest checkpoint is stored", async () => (await metric("checkpoint_waiting")) === 0);
  expect(fleet.logs.tail("learner", 100_000)).toContain("the disk is full (ENOSPC)");
  expect(outcomeDifferences(await undisturbed(config), await fleet.finished(250_000))).toEqual([]);
  expect(readdirSync(join(fleet.runDir, "tensorboard")).length).toBe(1);
});

it.skipIf(missing !== null)(
  named("a run stopped on a full disk goes on from its last stored checkpoint", missing),
  async () => {
    const { disk, fleet } = await startOnSmallDisk();
    await until("a checkpoint is stored", async () => (await fleet.status()).run!.newest_checkpoint > 0);
    disk.fill();
    const failures = async () => (await fleet.metrics("coordinator")).anchorage_coordinator_storage_failures_total!;
    await until("writes fail", async () => (await failures()) > 0);
    for (const name of fleet.names) await fleet.kill(name); // all of it, as by a power loss
    disk.free();
    for (const name of ["nats", "coordinator", "learner", "actor-1"] as const) await fleet.launch(name);
    await fleet.recovered("killed on a full disk", { timeoutMs: 60_000 });
    expect(outcomeDifferences(await undisturbed(config), await fleet.finished(250_000))).toEqual([]);
  },
);

const cannotFail = noFailingDisk();

it.skipIf(cannotFail !== null)(
  named("training goes on while the coordinator's disk has turned read-only, and loses nothing", cannotFail),
  async () => {
    const disk = await FailingDisk.mount(64);
    onTestFinished(() => disk.remove());
    const fleet = await startFleet({ config, actors: 2, stepMs: 5, runDir: join(disk.path, "run") });
    await until("a checkpoint is stored", async () => (await fleet.status()).run!.newest_checkpoint > 0);
    const metric = async (name: string): Promise<number> =>
      (await fleet.metrics("learner"))[`anchorage_learner_${name}`]!;

    await disk.fail();
    const done = await metric("updates");
    const failures = async () => (await fleet.metrics("coordinator")).anchorage_coordinator_storage_failures_total!;
    await until("the coordinator counts failed writes", async () => (await failures()) > 0);
    await until("its lock was to be refreshed", async () =>
      /lock of \S+ cannot be refreshed.*EROFS/.test(fleet.logs.tail("coordinator", 100_000)),
    );
    await until("training goes on", async () => (await metric("updates")) >= done + 5);
    expect(fleet.names).toContain("coordinator");
    expect(fleet.logs.tail("coordinator", 100_000)).toMatch(/\[STORAGE\].*read-only/);

    await fleet.kill("coordinator", "SIGTERM"); // as who mends the disk does: a mounted one cannot be
    await disk.repair();
    await fleet.launch("coordinator");
    await fleet.recovered("disk read-only", { timeoutMs: 60_000 });
    await until("the newest checkpoint is stored", async () => (await metric("checkpoint_waiting")) === 0);
    expect(outcomeDifferences(await undisturbed(config), await fleet.finished(250_000))).toEqual([]);
  },
);

it.skipIf(cannotFail !== null)(
  named(
    "Ctrl-C of train on a disk that has turned read-only says what is not stored, and --resume goes on",
    cannotFail,
  ),
  async () => {
    const disk = await FailingDisk.mount(64);
    onTestFinished(() => disk.remove());
    const fleet = trainFleet({ config, actors: 1, stepMs: 5, runDir: join(disk.path, "run") });
    const train = fleet.start();
    const checkpoints = () => readdirSync(join(fleet.runDir, "checkpoints")).filter((name) => name.endsWith(".ckpt"));
    await fleet.update(1);
    await until("a checkpoint is stored", async () => checkpoints().length > 0);
    await disk.fail();
    const waiting = async () => (await fleet.memberMetrics()).learner.anchorage_learner_reports_waiting ?? 0;
    await until("reports wait", async () => (await waiting()) > 0);

    train.process.kill("SIGINT");
    const { status, stderr } = await train.finished;
    expect(stderr).not.toContain("Control failed, attempt"); // nobody waited for a disk that only a person can mend
    expect(status).toBe(1);
    expect(fleet.processes()).toEqual([]);
    const problem = `\\[STORAGE\\] ${fleet.runDir}/state\\.json cannot be written: EROFS.* Nothing after update (\\d+) is stored;`;
    const remedy = `anchorage train --resume --run-dir ${fleet.runDir} goes on from the checkpoint after update (\\d+)\\.`;
    const lastLine = stderr.trimEnd().split("\n").at(-1)!;
    expect(lastLine).toMatch(new RegExp(`^anchorage: ${problem} .* ${remedy}$`));
    const [stored, checkpoint] = [...lastLine.matchAll(/after update (\d+)/g)].map(([, update]) => Number(update));

    await disk.repair();
    expect(fleet.records().at(-1)!.update).toBe(stored);
    expect(Math.max(...checkpoints().map((name) => Number.parseInt(name, 10)))).toBe(checkpoint);
    fleet.start("resume");
    expect(outcomeDifferences(await undisturbed(config), await fleet.finished())).toEqual([]);
  },
);
