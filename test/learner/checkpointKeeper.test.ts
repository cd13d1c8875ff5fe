import { join } from "node:path";
import { Registry } from "prom-client";
import { expect, it } from "vitest";
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
  keeper.keep(checkpoint, new Promise((resolve) => (delivered = resolve)));
  for (const update of [1, 2]) reporter.add(report(generation, update));
  await reporter.deliveredSoFar();
  expect(await client.loadCheckpoint()).toBeNull();
  delivered();
  await keeper.stored(AbortSignal.timeout(10_000));
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
