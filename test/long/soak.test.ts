import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chaosRandom, chaosSeed, choose } from "../chaos/chaosReport.ts";
import { updateRecords } from "../chaos/runRecord.ts";
import { named } from "../chaos/skipReason.ts";
import { type Judged, judge, judgedTable, largestOf, runTable, seriesOf } from "../soak/soakReport.ts";
import { type Sample, SoakRun, temporaryFiles } from "../soak/soakRun.ts";
import type { Finished } from "../system/command.ts";

/**
 * Two real runs at once, Pong-v5 and HalfCheetah-v4, for ANCHORAGE_SOAK_MINUTES (30): every 20 s an actor of one of them is
 * killed with SIGKILL, and everything is measured every 5 s. At the end nothing may have grown that should stand still.
 * The oldest actor of each run is spared: memory that grows shows only in a process that lives. Samples and tables stay
 * in the folder ANCHORAGE_SOAK_REPORT, or soak-report/ in the temporary folder.
 */
const minutes = Number(process.env.ANCHORAGE_SOAK_MINUTES ?? 30);
const report = process.env.ANCHORAGE_SOAK_REPORT ?? join(tmpdir(), "anchorage-soak-report");
const killEverySeconds = 20;
const sampleEverySeconds = 5;
/** A trend over less is mostly noise: memory is then shown, not judged. */
const leastMinutesToJudge = 20;
/** null: long enough. */
const tooShort = minutes < leastMinutesToJudge ? `not judged under ${leastMinutesToJudge} minutes` : null;

/** One epoch: more rounds, policies and kills for the same time; nothing that can leak depends on it. */
const configs = {
  pong: { env: "Pong-v5", seed: 1, totalSteps: 60_000_000, epochs: 1 },
  halfcheetah: { env: "HalfCheetah-v4", seed: 1, totalSteps: 600_000_000, epochs: 1, policyLag: 1 },
} as const;

describe(`${minutes} minutes of two runs whose actors are killed all the time`, () => {
  const folder = mkdtempSync(join(tmpdir(), "anchorage-soak-"));
  const runs: SoakRun[] = [];
  const samples: Sample[] = [];
  const ended: { run: SoakRun; finished: Finished }[] = [];
  let judged: Judged[] = [];
  let kills = 0;

  beforeAll(
    async () => {
      mkdirSync(report, { recursive: true });
      const csv = join(report, "samples.csv");
      writeFileSync(csv, "seconds,run,process,quantity,value\n");
      for (const [name, config] of Object.entries(configs)) runs.push(new SoakRun({ name, folder, config, actors: 3 }));
      await Promise.all(runs.map((run) => run.reached(1)));
      for (const { actors } of runs)
        expect(readFileSync(`/proc/${actors[0]}/environ`, "utf8")).toContain("MALLOC_MMAP_THRESHOLD_=4194304");
      const random = chaosRandom("soak");
      const began = performance.now();
      const elapsed = (): number => (performance.now() - began) / 1000;
      for (let nextKill = killEverySeconds; elapsed() < minutes * 60; await delay(sampleEverySeconds * 1000)) {
        if (elapsed() >= nextKill) {
          const victim = choose(
            random,
            runs.flatMap((run) => run.actors.slice(1)),
          );
          process.kill(victim, "SIGKILL");
          kills++;
          nextKill += killEverySeconds;
        }
        const seconds = elapsed();
        for (const run of runs) {
          const taken = await run.sample(seconds);
          samples.push(...taken);
          const lines = taken.map(
            (one) => `${seconds.toFixed(1)},${one.run},${one.process},${one.quantity},${one.value}\n`,
          );
          appendFileSync(csv, lines.join(""));
        }
      }
      for (const run of runs) ended.push({ run, finished: await run.stop() });
      judged = judge(samples);
      const told = `seed ${chaosSeed}, ${kills} actors killed\n\n${judgedTable(judged)}\n\n${runTable(samples)}\n`;
      writeFileSync(join(report, "soak.md"), told);
      console.log(told);
    },
    (minutes + 20) * 60_000,
  );
  afterAll(() => {
    for (const run of runs) run.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  const grown = (quantity: string): Judged[] => judged.filter((one) => one.quantity === quantity && one.grows);
  const largest = (run: SoakRun, quantity: string, process = "run"): number =>
    largestOf(seriesOf(samples, run.name, process, quantity));

  it("kills actors and trains on all the same", () => {
    expect(kills).toBeGreaterThan((minutes * 60) / killEverySeconds / 2);
    for (const { name } of runs) {
      const updates = seriesOf(samples, name, "run", "updates");
      expect(updates.at(-1)![1]).toBeGreaterThan(updates[0]![1]);
    }
  });

  it.skipIf(tooShort !== null)(named("ends with flat memory in every process that lived through it", tooShort), () => {
    expect(judged.filter(({ quantity }) => quantity === "resident_mib").length).toBe(2 * 5); // train, NATS, coordinator, learner, an actor
    expect(grown("resident_mib")).toEqual([]);
  });

  it.skipIf(tooShort !== null)(named("leaks no handle, no file and no thread", tooShort), () => {
    for (const quantity of ["handles", "files", "threads"]) expect(grown(quantity)).toEqual([]);
  });

  it("keeps queues bounded", () => {
    for (const run of runs) {
      expect(largest(run, "leases", "learner")).toBeLessThanOrEqual(largest(run, "lease_capacity", "learner"));
      expect(largest(run, "reports_waiting", "learner")).toBeLessThanOrEqual(10);
      expect(largest(run, "watchers", "coordinator")).toBeLessThanOrEqual(1); // train's own
    }
  });

  it("keeps every part of the run folder bounded", () => {
    const MiB = 1024 * 1024;
    for (const run of runs) {
      const policy = statSync(join(run.runDir, "policy.onnx")).size;
      expect(largest(run, "checkpoint_files")).toBeLessThanOrEqual(3 + 1 + 1); // kept, the best, one being pruned
      // 3 slots at policy lag 1; NATS frees the space of overwritten messages a block at a time
      expect(largest(run, "nats_bytes")).toBeLessThan(3 * 4 * policy + 8 * MiB);
      expect(largest(run, "logs_bytes")).toBeLessThan(3 * 4 * 8 * MiB);
      const { updates } = run;
      // by design one record each per update: see docs/reliability.md
      expect(largest(run, "metrics_jsonl_bytes") / updates).toBeLessThan(2048);
      expect(largest(run, "tensorboard_bytes") / updates).toBeLessThan(2048);
      expect(largest(run, "other_bytes")).toBeLessThan(3 * policy + MiB);
    }
  });

  it("leaves no temporary file and no process behind, each update recorded once", () => {
    for (const { run, finished } of ended) {
      expect(finished.stderr).toContain("Stopped after");
      expect(temporaryFiles(run.runDir)).toEqual([]);
      const records = updateRecords(run.runDir);
      expect(records.map(({ update }) => update)).toEqual(records.map((_, i) => i + 1));
      expect(records.at(-1)).toMatchObject({ rollouts_refused: 0, reproducible: 1 });
      expect(run.alive()).toEqual([]);
    }
  });
});
