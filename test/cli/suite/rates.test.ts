import { expect, it } from "vitest";
import { combined, toMeasure } from "../../../cli/suite/rates.ts";
import { readSuite, type Suite } from "../../../cli/suite/suiteFile.ts";
import { planSuite } from "../../../cli/suite/suitePlan.ts";

const runsOf = (suite: Suite) => planSuite(suite, async () => undefined);
const measured = async (name: string) => [...toMeasure(await runsOf(readSuite(name))).values()];

it("measures each environment with one algorithm, and each algorithm on one environment", async () => {
  const pairs = (await measured("paper-mujoco")).map(({ environment, algorithm }) => `${environment} ${algorithm}`);
  expect(pairs.sort()).toEqual([
    "Ant-v4 ano",
    "HalfCheetah-v4 ano",
    "HalfCheetah-v4 papo",
    "HalfCheetah-v4 ppo",
    "HalfCheetah-v4 spo",
    "HalfCheetah-v4 trpo",
    "Hopper-v4 ano",
    "Humanoid-v4 ano",
    "Swimmer-v4 ano",
    "Walker2d-v4 ano",
  ]);
});

it("one game stands for all of Atari, and a preset's environments only for that preset's", async () => {
  expect(await measured("paper-atari")).toHaveLength(5);
  expect(await measured("quick")).toHaveLength(2 * 3);
});

it("a pair whose parts are not left to measure is measured itself", async () => {
  const runs = await runsOf(readSuite("paper-mujoco"));
  const left = runs.filter(({ environment, algorithm }) =>
    ["HalfCheetah-v4 ppo", "Hopper-v4 ano"].includes(`${environment} ${algorithm}`),
  );
  expect([...toMeasure(left).values()].map(({ environment }) => environment).sort()).toEqual([
    "HalfCheetah-v4",
    "Hopper-v4",
  ]);
});

it("a pair's step costs t(e, a0) + t(e0, a) - t(e0, a0), and never far less than its parts do", () => {
  const rate = (secondsPerStep: number, startSeconds = 0) => ({ secondsPerStep, startSeconds });
  // Ant takes 2 more than the first environment, the other algorithm 1 less: 5 + 2 - 1 = 6
  expect(combined([rate(7, 3), rate(4), rate(5)])).toEqual({ secondsPerStep: 6, startSeconds: 3 });
  expect(combined([rate(1), rate(1), rate(5)]).secondsPerStep).toBe(0.25);
});
