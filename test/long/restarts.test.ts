import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chaosRandom, choose } from "../chaos/chaosReport.ts";
import { seriesOf } from "../soak/soakReport.ts";
import { type Sample, SoakRun } from "../soak/soakRun.ts";
import { growth, median, secondHalf } from "../soak/trend.ts";

/**
 * A fast run (CartPole, tiny rounds) whose learner, coordinator and NATS server are killed again and again, for
 * ANCHORAGE_RESTARTS_MINUTES (8): what connects again to each must not keep what it had of the one before.
 */
const minutes = Number(process.env.ANCHORAGE_RESTARTS_MINUTES ?? 8);
const killEverySeconds = 10;
/** One of a kind left behind at each third restart would be 120 an hour. */
const boundPerHour = 60;

const config = {
  env: "CartPole-v1",
  ...{ seed: 2, totalSteps: 640_000_000, envs: 8, envBatchSize: 4, rolloutSteps: 8, epochs: 1, minibatches: 1 },
};

describe("processes whose peers are restarted all the time", () => {
  const folder = mkdtempSync(join(tmpdir(), "anchorage-restarts-"));
  const samples: Sample[] = [];
  const lasting: string[] = []; // train and the actors, which nobody kills
  let run: SoakRun;
  let kills = 0;

  beforeAll(
    async () => {
      run = new SoakRun({ name: "cartpole", folder, config, actors: 2 });
      await run.reached(10);
      lasting.push("train", ...run.actors.map((pid) => `actor ${pid}`));
      const random = chaosRandom("restarts");
      const began = performance.now();
      const elapsed = (): number => (performance.now() - began) / 1000;
      for (let nextKill = killEverySeconds; elapsed() < minutes * 60; await delay(1_000)) {
        if (elapsed() >= nextKill) {
          const role = choose(random, ["learner", "coordinator", "nats"]);
          for (const { pid } of run.processes().filter((one) => one.role === role)) process.kill(pid, "SIGKILL");
          kills++;
          nextKill = elapsed() + killEverySeconds;
        }
        samples.push(...(await run.sample(elapsed()).catch(() => []))); // the coordinator was killed just now
      }
      await run.stop();
    },
    (minutes + 10) * 60_000,
  );
  afterAll(() => {
    run.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  it("go on training", () => {
    expect(kills).toBeGreaterThan((minutes * 60) / killEverySeconds / 4);
    const updates = seriesOf(samples, run.name, "run", "updates");
    expect(updates.at(-1)![1]).toBeGreaterThan(updates[0]![1]);
  });

  it.each(["files", "handles", "threads"])("leave no %s behind", (quantity) => {
    const table = lasting.flatMap((process) => {
      const series = seriesOf(samples, run.name, process, quantity);
      return series.length < 20 ? [] : [{ process, ...growth(series, boundPerHour) }];
    });
    console.log(quantity, kills, table);
    expect(table.length).toBeGreaterThanOrEqual(quantity === "handles" ? 2 : 3); // train serves no /metrics
    expect(table.filter(({ grows }) => grows)).toEqual([]);
  });

  it("keep their memory within a quarter of what it was", () => {
    for (const process of lasting) {
      const series = seriesOf(samples, run.name, process, "resident_mib");
      const first = median(series.slice(0, series.length >> 2).map(([, value]) => value));
      const last = median(secondHalf(series).map(([, value]) => value));
      console.log(`${process}: ${first.toFixed(0)} MiB, then ${last.toFixed(0)}`);
      expect(last).toBeLessThan(1.25 * first);
    }
  });
});
