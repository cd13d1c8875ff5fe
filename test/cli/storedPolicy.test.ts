import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it, vi } from "vitest";
import { makeEnvBatch } from "../../actor/environments.ts";
import { evaluateRun } from "../../cli/evaluate.ts";
import { exportPolicy } from "../../cli/exportPolicy.ts";
import { usualSize } from "../../cli/flagValues.ts";
import { PolicyFile } from "../../coordinator/policyFile.ts";
import { resolveRunConfig } from "../../shared/presets.ts";
import { tinyPolicy } from "../actor/tinyPolicy.ts";

const runDir = mkdtempSync(join(tmpdir(), "anchorage-"));
afterAll(() => rmSync(runDir, { recursive: true }));

it("evaluate and export use a run's policy, and refuse it once its weights are damaged", async () => {
  const printed = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  const batch = await makeEnvBatch({ env: "CartPole-v1", envOptions: {}, size: 1 });
  batch.close();
  const { bytes } = tinyPolicy(batch.spec, 1);
  writeFileSync(join(runDir, "config.json"), JSON.stringify(resolveRunConfig({ env: "CartPole-v1" })));
  await new PolicyFile(runDir).write(bytes);
  const evaluate = (): Promise<number> =>
    evaluateRun({ runDir, episodes: 1, seed: 1, json: true, fps: 30, size: usualSize });
  const output = join(runDir, "exported.onnx");

  expect(await evaluate()).toBe(0);
  expect(JSON.parse(String(printed.mock.lastCall![0]))).toMatchObject({ event: "evaluated", episodes: 1 });
  expect(await exportPolicy({ runDir, output })).toBe(0);
  expect(Buffer.compare(readFileSync(output), bytes)).toBe(0);
  await expect(exportPolicy({ runDir, output })).rejects.toThrow(/STORAGE.*exported.onnx.*--force/);
  expect(await exportPolicy({ runDir, output, force: true })).toBe(0);

  const damaged = Buffer.from(bytes);
  damaged[damaged.length >> 1]! ^= 1;
  writeFileSync(join(runDir, "policy.onnx"), damaged);
  await expect(evaluate()).rejects.toThrow(/CORRUPT.*policy.onnx is damaged/);
  await expect(exportPolicy({ runDir, output, force: true })).rejects.toThrow(/CORRUPT.*policy.onnx is damaged/);
});
