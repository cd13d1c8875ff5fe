import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { environmentIds, makeEnvBatch } from "../../../actor/environments.ts";
import { readSuite, shippedSuites } from "../../../cli/suite/suiteFile.ts";
import { type CheckParts, planSuite } from "../../../cli/suite/suitePlan.ts";
import { messageOf } from "../../../shared/errors.ts";

const folder = mkdtempSync(join(tmpdir(), "anchorage-suite-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const good = `
environments: [CartPole-v1, HalfCheetah-v4]
algorithms:
  ano:
    ano 0.1: { epsPos: 0.1, epsNeg: 0.1 }
    ano 0.3: {}
  ppo:
    ppo 0.2: { clip: 0.2, learningRate: 0.01 }
seeds: [7, 8]
settings: { learningRate: 0.002, totalSteps: 5000 }
`;

let files = 0;
async function planOf(yaml: string) {
  const file = join(folder, `matrix${files++}.yaml`);
  writeFileSync(file, yaml);
  return planSuite(readSuite(file), makeEnvironment);
}

const makeEnvironment: CheckParts = async ({ env, envOptions }) => {
  (await makeEnvBatch({ env, envOptions, size: 1 })).close();
};
const unchecked: CheckParts = async () => undefined; // forty games take long to make

async function refusal(yaml: string): Promise<string> {
  try {
    await planOf(yaml);
  } catch (error) {
    return messageOf(error);
  }
  throw new Error("the suite was taken");
}

describe("a suite's runs", () => {
  it("are the matrix, seed by seed, each in a folder of its own", async () => {
    const runs = await planOf(good);
    expect(runs.map(({ id }) => id).slice(0, 7)).toEqual([
      "CartPole-v1-ano-0.1-s7",
      "CartPole-v1-ano-0.3-s7",
      "CartPole-v1-ppo-0.2-s7",
      "HalfCheetah-v4-ano-0.1-s7",
      "HalfCheetah-v4-ano-0.3-s7",
      "HalfCheetah-v4-ppo-0.2-s7",
      "CartPole-v1-ano-0.1-s8",
    ]);
    expect(runs).toHaveLength(2 * 3 * 2);
  });

  it("have the environment's preset, over it the suite's settings, over them the label's", async () => {
    const [ano, , ppo] = await planOf(good);
    expect(ano!.config).toMatchObject({ seed: 7, envs: 16, epsPos: 0.1, learningRate: 0.002 });
    expect(ppo!.config).toMatchObject({ algo: "ppo", clip: 0.2, learningRate: 0.01 });
    expect(ano!.totalSteps).toBe(5120); // 5000 in whole rounds of 16 x 64
  });

  it("of the shipped suites are the paper's, and their environments are here", async () => {
    const plans = new Map<string, Awaited<ReturnType<typeof planSuite>>>();
    for (const name of shippedSuites()) plans.set(name, await planSuite(readSuite(name), unchecked));
    expect(Object.fromEntries([...plans].map(([name, runs]) => [name, runs.length]))).toEqual({
      "paper-atari": 40 * 5 * 5,
      "paper-mujoco": 6 * 15 * 5,
      parity: 3 * 2 * 3,
      quick: 2 * 3 * 3,
      robustness: 6 * 9 * 5,
      "robustness-500k": 2 * 3 * 3,
    });
    const valuesOf = (name: string, field: "totalSteps" | "learningRate") => [
      ...new Set(plans.get(name)!.map(({ config }) => config[field])),
    ];
    expect(valuesOf("paper-mujoco", "totalSteps")).toEqual([10_000_000]);
    expect(valuesOf("paper-atari", "totalSteps")).toEqual([6_000_000]);
    for (const name of ["robustness", "robustness-500k"]) expect(valuesOf(name, "learningRate")).toEqual([1e-3]);
    const here = Object.values(environmentIds()).flat();
    for (const name of shippedSuites())
      for (const environment of readSuite(name).environments) expect(here).toContain(environment);
  });
});

describe("a suite that is wrong is refused, naming key, value and what was meant:", () => {
  it.each([
    ["a mistyped key", good.replace("seeds", "seed"), /seed=\[7,8\] is no setting \(Did you mean "seeds"\?\)/],
    [
      "a mistyped setting of all",
      good.replace("learningRate: 0.002", "learningrate: 0.002"),
      /settings: learningrate=0\.002 is no setting\. Did you mean "learningRate"\?/,
    ],
    [
      "a mistyped setting of a label",
      good.replace("epsPos", "epsPo"),
      /algorithms\.ano\."ano 0\.1": epsPo=0\.1 is no setting\. Did you mean "epsPos"\?/,
    ],
    ["a mistyped algorithm", good.replace("ano:", "anno:"), /algorithms\.anno is no algorithm\. Did you mean "ano"\?/],
    ["a repeated seed", good.replace("[7, 8]", "[7, 8, 7]"), /seeds: 7 is there more than once/],
    [
      "a repeated environment",
      good.replace("HalfCheetah-v4", "CartPole-v1"),
      /environments: CartPole-v1 is there more than once/,
    ],
    ["a label twice in one algorithm", good.replace("ano 0.3", "ano 0.1"), /cannot be read.*unique/s],
    ["a label of two algorithms", good.replace("ppo 0.2", "ano 0.1"), /the label "ano 0\.1" is there more than once/],
    ["labels with one folder", good.replace("ano 0.3", "ano-0.1"), /would share the folder CartPole-v1-ano-0\.1-s7/],
    ["an empty file", "", /environments: expected a list of environments; .*; seeds: expected a list of seeds\./],
    ["no seeds", good.replace("[7, 8]", "[]"), /seeds: is empty: name at least one \(got \[\]\)/],
    ["no environments", good.replace("[CartPole-v1, HalfCheetah-v4]", "[]"), /environments: is empty/],
    ["a seed that is none", good.replace("[7, 8]", "[7, -1]"), /seeds\.1: .* \(got -1\)/],
    [
      "the seed among the settings",
      good.replace("learningRate: 0.002", "seed: 3"),
      /seed=3 is no setting here: write it under seeds/,
    ],
    [
      "a setting that does nothing",
      good.replace("ano 0.3: {}", "ano 0.3: { clip: 0.3 }"),
      /clip=0\.3 does nothing: this run's algo, ano/,
    ],
    [
      "a value out of range",
      good.replace("clip: 0.2", "clip: 2"),
      /CartPole-v1-ppo-0\.2-s7 and 3 more: .*clip: .*\(got 2\)/,
    ],
  ])("%s", async (_name, yaml, message) => {
    expect(await refusal(yaml)).toMatch(message);
  });

  it("all that is wrong is told at once, unknown environments included", async () => {
    const wrong = good.replace("clip: 0.2", "clip: 2").replace("[7, 8]", "[7, 7]").replace("epsNeg", "epsNeq");
    const text = await refusal(wrong.replace("CartPole-v1", "CartPol-v1"));
    expect(text).toMatch(/4 problems; nothing was started/);
    expect(text).toMatch(/seeds: 7 is there more than once/);
    expect(text).toMatch(/epsNeq=0\.1 is no setting\. Did you mean "epsNeg"\?/);
    expect(text).toMatch(/CartPol-v1-ppo-0\.2-s7 and 1 more: .*clip: .*\(got 2\)/);
    expect(text).toMatch(/There is no environment CartPol-v1\. Did you mean "CartPole-v1"\?/);
  });

  it("a suite that is neither shipped nor a file", () => {
    expect(() => readSuite("quik")).toThrow(/There is no suite quik\. Did you mean "quick"\? .*paper-mujoco/);
    expect(() => readSuite("nothing.yaml")).toThrow(/nothing\.yaml cannot be read/);
  });
});
