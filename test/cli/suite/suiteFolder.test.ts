import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { earlierRate } from "../../../cli/suite/rates.ts";
import type { Suite } from "../../../cli/suite/suiteFile.ts";
import { compareWithFolder, SuiteFolder } from "../../../cli/suite/suiteFolder.ts";
import { planSuite } from "../../../cli/suite/suitePlan.ts";
import { freshState } from "../../../coordinator/runState.ts";

const suite: Suite = {
  name: "tiny",
  file: "tiny.yaml",
  environments: ["CartPole-v1"],
  algorithms: { ano: { "ano 0.3": { epsPos: 0.3 } } },
  seeds: [1, 2],
  settings: {},
};
const planOf = (changes: Partial<Suite> = {}) => planSuite({ ...suite, ...changes }, async () => undefined);
const runs = await planOf();

let path: string;
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), "anchorage-suite-")), "folder");
});
afterEach(() => rmSync(join(path, ".."), { recursive: true, force: true }));

const lockLost = (error: Error): never => {
  throw error;
};
const open = (of = runs) => SuiteFolder.open(path, "tiny", of, lockLost);
const stored = () => JSON.parse(readFileSync(join(path, "suite.json"), "utf8"));

/** What the coordinator leaves of a run. */
function runFolder(id: string, state: "RUNNING" | "FINISHED"): void {
  mkdirSync(join(path, id));
  writeFileSync(join(path, id, "run.json"), "{}");
  writeFileSync(join(path, id, "state.json"), JSON.stringify({ ...freshState, state }));
}

describe("suite.json", () => {
  it("has every run with its label, folder, state and reason", async () => {
    const folder = await open();
    await folder.change("CartPole-v1-ano-0.3-s2", "failed", "the simulator broke");
    await folder.close();
    const common = { label: "ano 0.3", environment: "CartPole-v1", algorithm: "ano", setting: { epsPos: 0.3 } };
    expect(stored()).toEqual({
      name: "tiny",
      runs: [
        {
          id: "CartPole-v1-ano-0.3-s1",
          ...common,
          seed: 1,
          folder: "CartPole-v1-ano-0.3-s1",
          state: "pending",
          reason: "",
        },
        {
          id: "CartPole-v1-ano-0.3-s2",
          ...common,
          seed: 2,
          folder: "CartPole-v1-ano-0.3-s2",
          state: "failed",
          reason: "the simulator broke",
        },
      ],
    });
  });

  it("opened again: a run is finished if its own folder says so; one that failed stays so until it is run again", async () => {
    const first = await open();
    await first.change("CartPole-v1-ano-0.3-s2", "failed", "the simulator broke");
    await first.close();
    runFolder("CartPole-v1-ano-0.3-s1", "FINISHED"); // the suite was killed before it could note it
    runFolder("CartPole-v1-ano-0.3-s2", "RUNNING");
    const again = await open();
    expect(again.runs.map(({ state, reason }) => [state, reason])).toEqual([
      ["finished", ""],
      ["failed", "the simulator broke"],
    ]);
    await again.close();
  });
});

describe("a suite's folder", () => {
  it("takes more runs, and refuses other settings, labels and fewer runs, naming them", async () => {
    await (await open()).close();
    const more = await planOf({ seeds: [1, 2, 3], environments: ["CartPole-v1", "Hopper-v4"] });
    await compareWithFolder(path, more);
    await (await open(more)).close();
    expect(stored().runs).toHaveLength(6);
    await expect(compareWithFolder(path, runs)).rejects.toThrow(/the run CartPole-v1-ano-0\.3-s3 is missing in it/);

    const other = await planOf({
      seeds: [1, 2, 3],
      environments: ["CartPole-v1", "Hopper-v4"],
      settings: { gamma: 0.9 },
    });
    await expect(compareWithFolder(path, other)).rejects.toThrow(/gamma: 0\.99 against 0\.9 \(6 runs\)/);
    const renamed = await planOf({
      seeds: [1, 2, 3],
      environments: ["CartPole-v1", "Hopper-v4"],
      algorithms: { ano: { "ano-0.3": { epsPos: 0.3 } } },
    });
    await expect(compareWithFolder(path, renamed)).rejects.toThrow(/label: "ano 0\.3" against "ano-0\.3"/);
  });

  it("is one suite's at a time", async () => {
    const folder = await open();
    await expect(open()).rejects.toThrow(new RegExp(`in use by another .*pid ${process.pid}`));
    await folder.close();
    await (await open()).close();
  });

  it("that holds something else is left as it is", async () => {
    mkdirSync(path);
    writeFileSync(join(path, "thesis.txt"), "years of work");
    await expect(open()).rejects.toThrow(/not a suite's folder \(it holds thesis\.txt\)/);
    expect(existsSync(join(path, "suite.json"))).toBe(false);
  });
});

describe("the rate of an earlier run", () => {
  const line = (generation: number, steps: number, second: number): string =>
    `${JSON.stringify({ generation, agent_steps: steps, time: `2026-11-21T10:00:${second}.000Z` })}\n`;

  it("is that since it was last gone on with: the pause before does not count", () => {
    mkdirSync(path);
    // generation 2: 3000 steps in 6 s
    writeFileSync(join(path, "metrics.jsonl"), `${line(1, 1000, 10)}${line(2, 2000, 50)}${line(2, 5000, 56)}{"gener`);
    expect(earlierRate(path)).toEqual({ secondsPerStep: 0.002, startSeconds: 0 });
  });

  it("is unknown with one update, or none", () => {
    mkdirSync(path);
    expect(earlierRate(path)).toBeNull();
    writeFileSync(join(path, "metrics.jsonl"), line(1, 1000, 10));
    expect(earlierRate(path)).toBeNull();
  });
});
