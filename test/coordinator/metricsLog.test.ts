import { readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { MetricsLog, reportOf } from "../../coordinator/metricsLog.ts";
import type { UpdateReport__Output } from "../../proto/gen/anchorage/v1/UpdateReport.ts";
import { logger } from "../../shared/log.ts";
import { report, temporaryFolder } from "./runningCoordinator.ts";

const log = logger("test");
const as = (generation: number, update: number, metrics = {}): UpdateReport__Output =>
  report(generation, update, { metrics }) as unknown as UpdateReport__Output;
const updatesOf = async (folder: string): Promise<number[]> =>
  (await readFile(join(folder, "metrics.jsonl"), "utf8"))
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line).update);

async function logWith(folder: string, updates: number): Promise<MetricsLog> {
  const metrics = await MetricsLog.open(folder, log);
  for (let update = 1; update <= updates; update++) await metrics.append(as(1, update, { value: update / 3 }));
  return metrics;
}

it("reads back what was appended, NaN as null and NaN again", async () => {
  const folder = await temporaryFolder();
  const metrics = await MetricsLog.open(folder, log);
  await metrics.append(as(1, 1, { mean_return: Number.NaN, entropy: 0.5, update: 99 }));
  const record = await metrics.read(0);
  expect(record).toMatchObject({ update: 1, generation: 1, agent_steps: 64, mean_return: null, entropy: 0.5 });
  expect(reportOf(record!).metrics).toEqual({ mean_return: Number.NaN, entropy: 0.5 });
  await metrics.close();
});

it("finds the first record after any update, and cuts from any update", async () => {
  const folder = await temporaryFolder();
  const metrics = await logWith(folder, 5);
  expect([0, 1, 4, 5, 9].map((update) => metrics.after(update))).toEqual([0, 1, 4, 5, 5]);
  await metrics.cutFrom(4);
  await metrics.cutFrom(4); // nothing left to cut
  expect([metrics.length, metrics.last?.update, metrics.cuts]).toEqual([3, 3, 1]);
  await metrics.append(as(2, 4));
  await metrics.close();
  expect(await updatesOf(folder)).toEqual([1, 2, 3, 4]);
});

it("however a crash tears the last write, every whole line before it survives and the log goes on", async () => {
  const folder = await temporaryFolder();
  await (await logWith(folder, 6)).close();
  const whole = await readFile(join(folder, "metrics.jsonl"));
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length), fc.boolean(), async (length, zeros) => {
      await writeFile(join(folder, "metrics.jsonl"), whole);
      await truncate(join(folder, "metrics.jsonl"), length);
      // A file system that lost power may leave zeros where the data was to go.
      if (zeros) await truncate(join(folder, "metrics.jsonl"), length + 17);
      const left = whole.subarray(0, length).toString().split("\n").length - 1;
      const metrics = await MetricsLog.open(folder, log);
      expect(metrics.length).toBe(left);
      await metrics.append(as(2, left + 1));
      await metrics.close();
      expect(await updatesOf(folder)).toEqual(Array.from({ length: left + 1 }, (_, i) => i + 1));
    }),
    { numRuns: 60, seed: 1 },
  );
});

it("refuses a file damaged in its middle instead of dropping what follows", async () => {
  const folder = await temporaryFolder();
  await (await logWith(folder, 3)).close();
  const lines = (await readFile(join(folder, "metrics.jsonl"), "utf8")).split("\n");
  lines[1] = "{broken";
  await writeFile(join(folder, "metrics.jsonl"), lines.join("\n"));
  await expect(MetricsLog.open(folder, log)).rejects.toThrow(/line 2 is damaged/);
});

it("a reader that holds an index while records are cut gets null, not another update's bytes", async () => {
  const metrics = await logWith(await temporaryFolder(), 4);
  const reading = metrics.read(3);
  await metrics.cutFrom(2);
  expect(await reading).toBeNull();
  await metrics.close();
});
