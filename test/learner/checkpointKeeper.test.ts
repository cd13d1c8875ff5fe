import { join } from "node:path";
import { Registry } from "prom-client";
import { expect, it, onTestFinished } from "vitest";
import { CheckpointKeeper } from "../../learner/checkpointKeeper.ts";
import { learnerMetrics } from "../../learner/metrics.ts";
import { UpdateReporter } from "../../learner/updateReporter.ts";
import { logger } from "../../shared/log.ts";
import { registration, report, startCoordinator, temporaryFolder } from "../coordinator/runningCoordinator.ts";

it("a checkpoint is stored only after the reports of its updates: a run that goes on from it makes none of them again", async () => {
  const { client, stop } = await startCoordinator({ runDir: join(await temporaryFolder(), "run") });
  const { generation } = await client.register(registration("LEARNER"));
  const metrics = learnerMetrics(new Registry());
  const log = logger("test");
  const reporter = new UpdateReporter(client, log, metrics);
  const keeper = new CheckpointKeeper(client, log, metrics);
  const checkpoint = { generation, update: 2, meanReturn: 0, bytes: new Uint8Array(100) };

  // one report is held back: it is added, and told to be delivered, only further down
  let delivered: () => void = () => {};
  keeper.keep(checkpoint, () => new Promise((resolve) => (delivered = resolve)));
  for (const update of [1, 2]) reporter.add(report(generation, update));
  await reporter.deliveredSoFar();
  expect(await client.loadCheckpoint()).toBeNull();
  delivered();
  await keeper.stored(AbortSignal.timeout(10_000), () => "reports wait");
  expect(await client.loadCheckpoint()).toMatchObject({ update: 2 });

  // and nothing counts as delivered while the coordinator is away
  await stop();
  reporter.add(report(generation, 3));
  const outcome = await Promise.race([
    reporter.deliveredSoFar().then(() => "delivered"),
    client.getRun({ patienceMs: 0 }).catch(() => "unreachable"),
  ]);
  expect(outcome).toBe("unreachable");
  reporter.close();
  keeper.close();
});

async function parts() {
  const running = await startCoordinator({ runDir: join(await temporaryFolder(), "run") });
  const { generation } = await running.client.register(registration("LEARNER"));
  const metrics = learnerMetrics(new Registry());
  const reporter = new UpdateReporter(running.client, logger("test"), metrics);
  const keeper = new CheckpointKeeper(running.client, logger("test"), metrics);
  onTestFinished(() => {
    reporter.close();
    keeper.close();
  });
  const checkpoint = (update: number) => ({ generation, update, meanReturn: 0, bytes: new Uint8Array(100) });
  return { ...running, generation, reporter, keeper, checkpoint };
}

it("reports that always lag behind by several checkpoints do not keep every checkpoint from being stored", async () => {
  const { client, generation, reporter, keeper, checkpoint } = await parts();
  for (const update of [1, 2, 3, 4]) reporter.add(report(generation, update));
  await reporter.deliveredSoFar();
  const reported: (() => void)[] = [];
  const forgotten: number[] = [];
  for (const update of [1, 2, 3, 4])
    keeper.keep(checkpoint(update), (dropped) => {
      dropped.addEventListener("abort", () => forgotten.push(update));
      return new Promise((resolve) => reported.push(resolve));
    });
  expect(forgotten).toEqual([2, 3]);
  reported[0]!(); // those of the others are still to come: the oldest is stored all the same
  for (let found = null; found === null; ) found = await client.loadCheckpoint();
  expect(await client.loadCheckpoint()).toMatchObject({ update: 1 });
  reported[3]!();
  await keeper.stored(AbortSignal.timeout(10_000), () => "reports wait");
  expect(await client.loadCheckpoint()).toMatchObject({ update: 4 });
});

it("of two whose reports are stored only the newer is sent, and the older one is forgotten", async () => {
  const { client, generation, reporter, keeper, checkpoint } = await parts();
  for (const update of [1, 2]) reporter.add(report(generation, update));
  await reporter.deliveredSoFar();
  const both = Promise.resolve();
  for (const update of [1, 2]) keeper.keep(checkpoint(update), () => both);
  await keeper.stored(AbortSignal.timeout(10_000), () => "reports wait");
  expect(await client.loadCheckpoint()).toMatchObject({ update: 2 });
  await expect(client.loadCheckpoint(1)).rejects.toThrow("no checkpoint after update 1; stored: 2");
});

it("while the coordinator is away, what waits for reports does not grow with every checkpoint", async () => {
  const { stop, generation, reporter, keeper, checkpoint } = await parts();
  await stop();
  for (let update = 1; update <= 100; update++) {
    reporter.add(report(generation, update));
    keeper.keep(checkpoint(update), (dropped) => reporter.deliveredSoFar(dropped));
  }
  expect(reporter.watched).toBe(2);
  const stored = keeper.stored(AbortSignal.abort(), () => "100 update reports wait");
  await expect(stored).rejects.toThrow(
    /after update 100 could not be stored within drainSeconds: 100 update reports wait\./,
  );
});
