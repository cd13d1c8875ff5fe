import { expect, it } from "vitest";
import { resolveRunConfig } from "../../shared/presets.ts";

it.each<[object, RegExp]>([
  [{ policyLag: 5 }, /policyLag: expected 0, 1 or async \(got 5\)/],
  [{ envOptions: { frames: [4] } }, /envOptions\.frames: expected a number, a boolean or a string \(got \[4\]\)/],
  [{ network: { kind: "lstm" } }, /network\.kind: .*'mlp' \| 'nature'/],
  [{ algo: "ddpg" }, /algo: expected ano, ppo, .* or the path of a module .* \(got "ddpg"\)/],
  [{ clip: 0.3 }, /clip=0\.3 does nothing: this run's algo, ano, does not read it\. .*It reads epsPos, epsNeg\./],
  [{ algo: "spo", epsPos: 0.3 }, /epsPos=0\.3 does nothing: .*spo.* It reads clip\./],
  [{ algo: "ppo", desiredKl: 0.1 }, /desiredKl=0\.1 does nothing/],
  [{ algo: "pg", gaeLambda: 0.5 }, /gaeLambda=0\.5 does nothing: this run's algo, pg/],
  [{ algo: "pg", valueCoef: 0.5 }, /valueCoef=0\.5 is not pg, which has valueCoef=0\./],
  [{ algo: "a2c", epochs: 4 }, /epochs=4 is not a2c, which has epochs=1\./],
  [
    { vtrace: true, gaeLambda: 0.9 },
    /gaeLambda=0\.9 does nothing with vtrace=true\. Leave gaeLambda out, or set vtrace=false/,
  ],
  [{ rhoBar: 2 }, /rhoBar=2 does nothing with vtrace=false/],
  [{ orthogonalInit: false, actorGain: 0.1 }, /actorGain=0\.1 does nothing with orthogonalInit=false/],
  [{ hiddenGain: 0 }, /hiddenGain: .*\(got 0\)/],
  [
    { network: { activation: "gelu" } },
    /network\.activation: .*"tanh"\|"relu"\|"elu"\|"leakyRelu"\|"silu" \(got "gelu"\)/,
  ],
  [{ algo: "papo", gamma: 1 }, /gamma=1 with papo, whose bound divides by/],
  [
    { algo: "grpo", groupSize: 3 },
    /groupSize=3 does not divide envBatchSize=8: .*Set groupSize to one of the divisors above 1 \(2, 4, 8\)/,
  ],
  [{ algo: "gano", envBatchSize: 1 }, /groupSize=8 does not divide envBatchSize=1: .*\(none: envBatchSize is 1\)/],
  [{ algo: "grpo", groupSize: 1 }, /groupSize: .*>=2.*\(got 1\)/],
  [{ algo: "grpo", policyLag: "async" }, /policyLag=async with grpo: nothing corrects .*Set policyLag to 0 or 1/],
  [{ algo: "grpo", gaeLambda: 0.9 }, /gaeLambda=0\.9 does nothing: this run's algo, grpo/],
  [{ algo: "gano", normalizeRewards: true }, /normalizeRewards=true is not gano, which has normalizeRewards=false/],
  [{ algo: "gano", clip: 0.1 }, /clip=0\.1 does nothing: .*It reads epsPos, epsNeg, groupSize, referenceKlCoef/],
  [{ groupSize: 4 }, /groupSize=4 does nothing: this run's algo, ano/],
  [{ gama: 0.9 }, /gama=0.9 .*Did you mean "gamma"\?/],
  [{ gama: 0.9, seed: -1 }, /seed: .*\(got -1\).*gama=0.9 /],
])("a wrong setting is named with its value and what is allowed: %j", (given, message) => {
  const resolve = (): unknown => resolveRunConfig({ env: "CartPole-v1", ...given });
  expect(resolve).toThrow(message);
  expect(resolve).not.toThrow(/[.?!][.;]/); // one sentence ends once
});

it("an objective of one's own may be given every setting that its functions are handed", () => {
  const given = { clip: 0.1, epsPos: 0.1, epsNeg: 0.1, klCoef: 2, desiredKl: 0.02, omega1: 0.1, omega2: 0.1, papoK: 3 };
  expect(resolveRunConfig({ env: "CartPole-v1", algo: "./steered.ts", ...given })).toMatchObject(given);
});

// ALGORITHMS, The shared update and Protocols, field by field.
const shared = {
  algo: "ano",
  annealLearningRate: true,
  adamEps: 1e-5,
  adamBeta1: 0.9,
  adamBeta2: 0.999,
  maxGradNorm: 0.5,
  gamma: 0.99,
  gaeLambda: 0.95,
  valueCoef: 0.5,
  normalizeAdvantages: true,
  targetKl: null,
  minibatches: 4,
  orthogonalInit: true,
  hiddenGain: Math.SQRT2,
  actorGain: 0.01,
  criticGain: 1,
  policyLag: 0,
};
it.each([
  [
    "HalfCheetah-v4",
    {
      ...shared,
      totalSteps: 10_000_000,
      envs: 128,
      rolloutSteps: 32,
      epochs: 10,
      learningRate: 3e-4,
      entropyCoef: 0,
      epsPos: 0.3,
      epsNeg: 0.3,
      valueClip: 0.3,
      maxKl: 0.01,
      normalizeObservations: true,
      observationClip: 10,
      normalizeRewards: true,
      rewardClip: 10,
      network: { kind: "mlp", hidden: [256, 256], activation: "tanh", shared: false, logStd: 0 },
    },
  ],
  [
    "Breakout-v5",
    {
      ...shared,
      totalSteps: 6_000_000,
      envs: 16,
      rolloutSteps: 128,
      epochs: 4,
      learningRate: 2.5e-4,
      entropyCoef: 0.01,
      epsPos: 0.1,
      epsNeg: 0.1,
      valueClip: 0.1,
      maxKl: 0.02,
      normalizeObservations: false,
      normalizeRewards: false,
      network: { kind: "nature", units: 512, activation: "relu", shared: true },
    },
  ],
])("every protocol setting of the paper is a field, with its value in the preset of %s", (env, paper) => {
  expect(resolveRunConfig({ env })).toMatchObject(paper);
});

it("lays an algorithm's own defaults over the environment's preset, and what the person gave over both", () => {
  const papo = resolveRunConfig({ env: "Pong-v5", algo: "papo" });
  expect([papo.targetKl, papo.epochs, papo.clip]).toEqual([0.02, 4, 0.1]);
  expect(resolveRunConfig({ env: "Pong-v5", algo: "papo", targetKl: null }).targetKl).toBe(null);
  expect(resolveRunConfig({ env: "CartPole-v1", algo: "a2c" }).epochs).toBe(1);
});

it("names ten of many settings that are none, and how many more there are", () => {
  const many = Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`extra${i}`, i]));
  const resolve = (): unknown => resolveRunConfig({ env: "CartPole-v1", ...many });
  expect(resolve).toThrow(/extra9=9 is no setting; and 15 more\./);
  expect(resolve).not.toThrow(/extra10/);
});

it("gives group-relative runs undiscounted returns and groups that fit the preset's EnvBatches", () => {
  const [atari, mujoco] = ["Pong-v5", "Hopper-v4"].map((env) => resolveRunConfig({ env, algo: "grpo" }));
  expect([atari!.groupSize, atari!.gamma, mujoco!.groupSize, mujoco!.gamma]).toEqual([4, 1, 8, 1]);
  expect([mujoco!.referenceKlCoef, mujoco!.referenceEvery]).toEqual([0.04, 10]);
  expect(resolveRunConfig({ env: "Hopper-v4", algo: "gano", gamma: 0.9 }).gamma).toBe(0.9);
});

it("keeps a stored run's settings on resume, whatever its algorithm's defaults are", () => {
  const stored = { ...resolveRunConfig({ env: "CartPole-v1", algo: "papo", targetKl: 0.5 }) };
  expect(resolveRunConfig({}, stored)).toEqual(stored);
});
