import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { excludedLines } from "../../../cli/report/excludedRuns.ts";
import { findRuns } from "../../../cli/report/findRuns.ts";
import { groupRuns, order } from "../../../cli/report/grouping.ts";
import { normalised, referenceOf } from "../../../cli/report/referenceScores.ts";
import { reportData } from "../../../cli/report/reportData.ts";
import { madeRun } from "./madeRun.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "anchorage-report-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const settings = { resamples: 50, curveResamples: 20, seed: 1 };
const labelsOf = () => groupRuns(findRuns([root]).found).groups.map(({ label, runs }) => `${label} x${runs.length}`);
function suite(runs: readonly Record<string, unknown>[]): void {
  const filled = runs.map((run, i) => ({
    id: `run${i}`,
    label: "ANO",
    environment: "CartPole-v1",
    algorithm: "ano",
    setting: {},
    seed: i + 1,
    reason: "",
    ...run,
  }));
  writeFileSync(join(root, "suite.json"), JSON.stringify({ name: "made", runs: filled }));
}

describe("finding runs", () => {
  it("takes run folders, folders of them, and the same one given twice only once", () => {
    const one = madeRun(root, "one");
    madeRun(root, "deeper/two", { given: { seed: 2 } });
    expect(findRuns([one, root]).found).toHaveLength(2);
  });

  it("names failed, unfinished and damaged runs with the reason, and counts the others", () => {
    madeRun(root, "good");
    madeRun(root, "failed", { given: { seed: 2 }, state: "FAILED", failure: "value_loss is NaN in update 3" });
    madeRun(root, "running", { given: { seed: 3 }, state: "RUNNING" });
    writeFileSync(
      join(madeRun(root, "torn", { given: { seed: 4 } }), "metrics.jsonl"),
      '{"agent_steps": 10}\n{"agent_st',
    );
    const { found, excluded } = findRuns([root]);
    expect(found).toHaveLength(1);
    const reasons = excluded.map(({ what, reason }) => `${what}: ${reason}`);
    expect(reasons[0]).toBe("CartPole-v1, ano, seed 2 (failed): failed: value_loss is NaN in update 3");
    expect(reasons[1]).toBe("CartPole-v1, ano, seed 3 (running): not finished: running");
    expect(reasons[2]).toMatch(/seed 4 \(torn\): .*metrics\.jsonl, line 2 is not readable/);
  });

  it("takes a suite's labels, and names its failed, pending and vanished runs with the suite's reason", () => {
    madeRun(root, "runs/a");
    suite([
      { folder: "runs/a", state: "finished" },
      { folder: "runs/b", state: "failed", reason: "the learner ran out of memory" },
      { folder: "runs/c", state: "pending" },
      { folder: "runs/d", state: "finished" },
    ]);
    const { found, excluded, suites } = findRuns([root]);
    expect([suites, found.map(({ label }) => label)]).toEqual([["made"], ["ANO"]]);
    expect(excluded.map(({ reason }) => reason)).toEqual([
      "failed: the learner ran out of memory",
      "not run yet",
      expect.stringMatching(/finished, but its folder .*runs.d is gone/),
    ]);
  });

  it("tells runs that share a reason one by one up to three, and as one line beyond", () => {
    const pending = (n: number) => ({ what: `run ${n}`, reason: "not run yet", folder: "" });
    const failed = { what: "run 9", reason: "failed: out of memory", folder: "" };
    expect(excludedLines([pending(1), failed, pending(2), pending(3)])).toEqual([
      "run 1: not run yet",
      "run 2: not run yet",
      "run 3: not run yet",
      "run 9: failed: out of memory",
    ]);
    expect(excludedLines([pending(1), pending(2), pending(3), pending(4), failed])).toEqual([
      "run 1 and 3 more: not run yet (excluded.csv names all)",
      "run 9: failed: out of memory",
    ]);
  });

  it("refuses a folder without a run, one that is not there, and a suite.json that is none", () => {
    mkdirSync(join(root, "empty"));
    expect(() => findRuns([join(root, "empty")])).toThrow(/empty holds no run/);
    expect(() => findRuns([join(root, "gone")])).toThrow(/There is no folder .*gone here\..*train and suite make it/);
    suite([{ folder: "a", state: "done" }]);
    expect(() => findRuns([root])).toThrow(/suite\.json is not readable/);
  });
});

describe("grouping", () => {
  it("labels runs by algorithm and by the fields in which they differ beside the seed", () => {
    madeRun(root, "1", { given: { algo: "ano", epsPos: 0.1, epsNeg: 0.1 } });
    madeRun(root, "2", { given: { algo: "ano", epsPos: 0.3, epsNeg: 0.3 } });
    madeRun(root, "3", { given: { algo: "ano", epsPos: 0.3, epsNeg: 0.3, seed: 2 } });
    madeRun(root, "4", { given: { algo: "papo" } }); // its own targetKl is what papo is, not a difference
    expect(labelsOf()).toEqual(["ano, eps 0.1 x1", "ano, eps 0.3 x2", "papo x1"]);
  });

  it("orders labels by the size of the numbers in them", () => {
    expect(["papo 0.01", "ano", "papo 1e-4", "papo 0.005", "papo"].sort(order)).toEqual([
      "ano",
      "papo",
      "papo 1e-4",
      "papo 0.005",
      "papo 0.01",
    ]);
  });

  it("names a setting of the shared update that differs between algorithms", () => {
    madeRun(root, "1", { given: { algo: "ano", learningRate: 0.001 } });
    madeRun(root, "2", { given: { algo: "ppo", learningRate: 0.0003 } });
    expect(labelsOf()).toEqual(["ano, learningRate 0.001 x1", "ppo, learningRate 0.0003 x1"]);
  });

  it("splits a suite's label whose runs have other settings, and names them", () => {
    madeRun(root, "a");
    madeRun(root, "b", { given: { seed: 2, gamma: 0.9 } });
    suite([{ folder: "a", state: "finished" }, { folder: "b", state: "finished" }]); // biome-ignore format: pairs
    expect(labelsOf()).toEqual(["ANO [gamma 0.9] x1", "ANO [gamma 0.99] x1"]);
    const { notices } = groupRuns(findRuns([root]).found);
    expect(notices[0]).toMatch(
      /CartPole-v1, ANO: its runs have different settings \(gamma\) and are not averaged together/,
    );
  });

  it("counts a seed once, and a run without a finished episode not at all", () => {
    madeRun(root, "a", { returns: [10, 20] });
    madeRun(root, "b", { returns: [10, 20] });
    madeRun(root, "c", { given: { seed: 2 }, returns: [null, null] });
    const { runs, excluded } = reportData([root], settings);
    expect(runs.map(({ seed }) => seed)).toEqual([1]);
    expect(excluded.map(({ reason }) => reason)).toEqual([
      "no episode ended in it: it has no return",
      expect.stringMatching(/the same settings and seed as .*a, which counts/),
    ]);
  });
});

describe("the numbers", () => {
  it("normalise by published references: a human plays Pong to 14.6, random play is -20.7", () => {
    expect(normalised(14.6, referenceOf("Pong-v5")!)).toBe(1);
    expect(normalised(-20.7, referenceOf("Pong-v5")!)).toBe(0);
    expect(referenceOf("HalfCheetah-v4")!.kind).toBe("expert");
    for (const id of ["HalfCheetah-v5", "CartPole-v1", "AirRaid-v5", "constructor"]) expect(referenceOf(id)).toBeNull();
  });

  it("a curve has each run's newest value, and an aggregate only labels that have every environment", () => {
    for (const seed of [1, 2])
      madeRun(root, `ano${seed}`, { given: { seed, env: "Hopper-v4" }, returns: [null, 100 * seed, 200 * seed] });
    madeRun(root, "ano-ant", { given: { env: "Ant-v4" } });
    madeRun(root, "ppo", { given: { env: "Hopper-v4", algo: "ppo" } });
    const { curves, scales, notices, scores } = reportData([root], settings);
    const curve = curves.find(
      ({ environment, label, metric }) => environment === "Hopper-v4" && label === "ano" && metric === "mean_return",
    )!;
    expect(curve.agentSteps).toEqual([2000, 3000]);
    expect(curve.points.map(({ value }) => value)).toEqual([150, 300]); // (100 + 200) / 2, (200 + 400) / 2
    expect(scales[0]!.aggregates.map(({ label, runs }) => [label, runs])).toEqual([["ano", 3]]);
    expect(notices).toContain(
      "Expert-normalised MuJoCo score: ppo is not aggregated, because it has no finished run in Ant-v4.",
    );
    expect(scores.find(({ environment, label }) => environment === "Hopper-v4" && label === "ano")!.mean.value).toBe(
      300,
    );
  });

  it("are the same again from the same files", () => {
    for (const seed of [1, 2, 3]) madeRun(root, `ano${seed}`, { given: { seed }, returns: [10 * seed, 20 * seed] });
    expect(reportData([root], settings)).toEqual(reportData([root], settings));
  });
});
