import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { CheckedSuite } from "../../../cli/suite/checkedSuite.ts";
import { dryRun } from "../../../cli/suite/dryRun.ts";
import type { Suite } from "../../../cli/suite/suiteFile.ts";
import { planSuite } from "../../../cli/suite/suitePlan.ts";
import { freshState } from "../../../coordinator/runState.ts";

const suite: Suite = {
  name: "tiny",
  file: "tiny.yaml",
  environments: ["CartPole-v1"],
  algorithms: { ano: { "ano 0.3": { epsPos: 0.3 } } },
  seeds: [1, 2, 3],
  settings: { totalSteps: 10_240 },
};
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "anchorage-suite-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What the coordinator leaves of a run with an update of 1024 agent steps each half second. */
function runFolder(id: string, state: "RUNNING" | "FINISHED", updates: number): void {
  const path = join(folder, id);
  mkdirSync(path);
  writeFileSync(join(path, "run.json"), "{}");
  writeFileSync(join(path, "state.json"), JSON.stringify({ ...freshState, state }));
  const records = Array.from({ length: updates }, (_, i) => ({
    generation: 1,
    update: i + 1,
    agent_steps: 1024 * (i + 1),
    time: new Date(500 * i).toISOString(),
  }));
  writeFileSync(join(path, "metrics.jsonl"), records.map((record) => `${JSON.stringify(record)}\n`).join(""));
}

async function printed(flags: CheckedSuite["flags"]): Promise<string> {
  const runs = await planSuite(suite, async () => undefined);
  const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  try {
    await dryRun({ suite, nameOrFile: "tiny.yaml", runs, folder, jobs: 2, workers: null, flags });
    return String(write.mock.lastCall![0]);
  } finally {
    write.mockRestore();
  }
}

it("--dry-run --json is one object per run: what is left of each, and how long that takes by the folder's own rates", async () => {
  runFolder("CartPole-v1-ano-0.3-s1", "FINISHED", 10);
  runFolder("CartPole-v1-ano-0.3-s2", "RUNNING", 4);
  const lines = (await printed({ json: true })).trimEnd().split("\n");
  const common = { label: "ano 0.3", environment: "CartPole-v1", algorithm: "ano", setting: { epsPos: 0.3 } };
  const rate = { stepsPerSecond: 2048, rate: "earlier runs in this folder" };
  const run = (seed: number, more: object) => {
    const id = `CartPole-v1-ano-0.3-s${seed}`;
    return { id, ...common, seed, folder: id, totalSteps: 10_240, ...more };
  };
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    run(1, { state: "finished", stepsLeft: 0, estimatedSeconds: 0, stepsPerSecond: null, rate: null }),
    run(2, { state: "begun", stepsLeft: 6144, estimatedSeconds: 3, ...rate }), // 10 240 - 4 * 1024, at 2048 a second
    run(3, { state: "new", stepsLeft: 10_240, estimatedSeconds: 5, ...rate }),
  ]);
});

it("for people it adds the times up, and says by which rates", async () => {
  runFolder("CartPole-v1-ano-0.3-s1", "FINISHED", 10);
  const text = await printed({});
  expect(text).toMatch(
    /^CartPole-v1-ano-0\.3-s1 +finished +10k steps\nCartPole-v1-ano-0\.3-s2 +new +10k steps +0m05s at /,
  );
  expect(text).toContain("3 runs, 2 of them left: about 0m10s one after the other, with 2 at a time at best 0m05s.");
  expect(text).toContain(`Rates: earlier runs in this folder. Folder: ${folder}`);
});
