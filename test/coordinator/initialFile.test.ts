import { createHash } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { registration, smallConfig, startCoordinator, temporaryFolder } from "./runningCoordinator.ts";

const policy = Buffer.alloc(2_500_000, 7);

/** A run's config that begins from a file of these bytes, and the file. */
async function begun(): Promise<{ readonly file: string; readonly config: typeof smallConfig }> {
  const file = join(await temporaryFolder(), "policy.onnx");
  await writeFile(file, policy);
  const sha256 = createHash("sha256").update(policy).digest("hex");
  return { file, config: { ...smallConfig, initFrom: { file, sha256 } } };
}

it("the file that a run begins from is kept in its folder and served from there, when the original is long gone", async () => {
  const { file, config } = await begun();
  const runDir = join(await temporaryFolder(), "run");
  const first = await startCoordinator({ runDir, config });
  await rm(file);
  expect(Buffer.compare(await first.client.initialFile(), policy)).toBe(0);
  await first.stop();
  const again = await startCoordinator({ runDir, config: null, options: { resume: true } });
  expect(Buffer.compare(await again.client.initialFile(), policy)).toBe(0);
  expect(JSON.parse((await again.client.getRun()).config_json).initFrom).toEqual(config.initFrom);
  await again.client.register(registration("LEARNER"));
  expect(await again.client.loadCheckpoint()).toBeNull(); // it is no checkpoint
});

it("a file that was changed or removed meanwhile begins no run", async () => {
  const { file, config } = await begun();
  const runDir = join(await temporaryFolder(), "run");
  await writeFile(file, "another policy");
  await expect(startCoordinator({ runDir, config })).rejects.toThrow(
    /\[CONFIG\] initFrom: .*policy\.onnx has sha256 [0-9a-f]{64}, this run was given one of [0-9a-f]{64}\. It was changed/,
  );
  await rm(file);
  await expect(startCoordinator({ runDir, config })).rejects.toThrow(/initFrom: .*policy\.onnx cannot be read: ENOENT/);
  const left = (await readdir(runDir)).filter((name) => name !== "checkpoints" && !name.startsWith("lock"));
  expect(left).toEqual([]);
  await writeFile(file, policy);
  expect((await startCoordinator({ runDir, config })).runId).toMatch(/^cartpole/); // and it can still be begun there
});

it("a run folder that has lost or damaged its copy says so", async () => {
  const { config } = await begun();
  const runDir = join(await temporaryFolder(), "run");
  const { client } = await startCoordinator({ runDir, config });
  const copy = join(runDir, "initial-policy");
  const bytes = await readFile(copy);
  bytes[1_000_000]! ^= 1;
  await writeFile(copy, bytes);
  await expect(client.initialFile({ patienceMs: 0 })).rejects.toThrow(/its sha256 is [0-9a-f]{64}, announced was/);
  await rm(copy);
  await expect(client.initialFile({ patienceMs: 0 })).rejects.toThrow(/initial-policy cannot be read: ENOENT.*Copy /);
});
