import { expect, it } from "vitest";
import { discountedReturns } from "../../learner/discountedReturns.ts";
import { generalizedAdvantages, temporalDifferences } from "../../learner/gae.ts";
import { groupAdvantages } from "../../learner/groupAdvantages.ts";
import { fillAdvantages } from "../../learner/roundAdvantages.ts";
import { importanceWeighted, vtrace } from "../../learner/vtrace.ts";
import { resolveRunConfig } from "../../shared/presets.ts";
import { numberSource } from "./updateCases.ts";

const [steps, batch] = [5, 4];
const { uniform, normal } = numberSource(2);
const column = (of: () => number) => Float32Array.from({ length: steps * batch }, of);
const flags = () => Uint8Array.from({ length: steps * batch }, () => (uniform() < 0.2 ? 1 : 0));
const round = {
  ...{ steps, batch, rewards: column(normal), values: column(normal), nextValues: column(normal) },
  ...{ terminated: flags(), truncated: flags() },
};
const logRatios = column(() => 0.3 * normal());

/** What a run with these settings makes of the round. */
function filled(settings: object, more: object = {}) {
  const config = resolveRunConfig({ env: "Hopper-v4", gamma: 0.9, ...settings });
  const columns = { advantages: column(() => 0), returns: column(() => 0), tdErrors: column(() => 0) };
  const reported = fillAdvantages(config, { ...round, ...more }, columns);
  return { ...columns, reported };
}

it.each(["ano", "ppo", "spo", "trpo", "a2c"])(
  "%s weighs by generalized advantages, with the run's gamma and lambda",
  (algo) => {
    const { advantages, returns, reported } = filled({ algo, gaeLambda: 0.8 });
    expect({ advantages, returns }).toEqual(generalizedAdvantages(round, 0.9, 0.8));
    expect(reported).toEqual({});
  },
);

it("papo has the one-step TD errors beside them", () => {
  expect(filled({ algo: "papo" }).tdErrors).toEqual(temporalDifferences(round, 0.9));
});

it("pg weighs by discounted returns, whatever the critic says", () => {
  const returns = discountedReturns(round, 0.9);
  expect(filled({ algo: "pg" })).toMatchObject({ advantages: returns, returns });
});

it.each(["grpo", "gano"])("%s weighs by group-relative advantages, and reports flat groups and used steps", (algo) => {
  const { advantages, returns, reported } = filled({ algo, groupSize: 2 });
  const { flat, used, ...relative } = groupAdvantages(round, 0.9, 2);
  expect({ advantages, returns }).toEqual(relative);
  expect(reported).toEqual({ group_flat: flat, group_used: used });
});

it("with vtrace, objectives with a ratio get V-trace's advantages as they are; a2c gets them weighed, and normalised before if the run does that", () => {
  const bounds = { rhoBar: 1.5, cBar: 0.8 };
  const corrected = vtrace({ ...round, logRatios }, { gamma: 0.9, ...bounds });
  expect(filled({ algo: "ano", vtrace: true, ...bounds }, { logRatios })).toMatchObject(corrected);
  for (const normalize of [true, false]) {
    const weighed = importanceWeighted({ ...corrected, logRatios }, { rhoBar: 1.5, normalize });
    const settings = { algo: "a2c", vtrace: true, normalizeAdvantages: normalize, ...bounds };
    expect(filled(settings, { logRatios })).toMatchObject({ advantages: weighed, returns: corrected.returns });
  }
});
