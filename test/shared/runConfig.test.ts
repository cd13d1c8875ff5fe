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
  [{ algo: "papo", gamma: 1 }, /gamma=1 with papo, whose bound divides by/],
  [{ gama: 0.9 }, /gama=0.9 .*Did you mean "gamma"\?/],
  [{ gama: 0.9, seed: -1 }, /seed: .*\(got -1\).*gama=0.9 /],
])("a wrong setting is named with its value and what is allowed: %j", (given, message) => {
  const resolve = (): unknown => resolveRunConfig({ env: "CartPole-v1", ...given });
  expect(resolve).toThrow(message);
  expect(resolve).not.toThrow(/[.?!][.;]/); // one sentence ends once
});

it("lays an algorithm's own defaults over the environment's preset, and what the person gave over both", () => {
  const papo = resolveRunConfig({ env: "Pong-v5", algo: "papo" });
  expect([papo.targetKl, papo.epochs, papo.clip]).toEqual([0.02, 4, 0.1]);
  expect(resolveRunConfig({ env: "Pong-v5", algo: "papo", targetKl: null }).targetKl).toBe(null);
  expect(resolveRunConfig({ env: "CartPole-v1", algo: "a2c" }).epochs).toBe(1);
});

it("keeps a stored run's settings on resume, whatever its algorithm's defaults are", () => {
  const stored = { ...resolveRunConfig({ env: "CartPole-v1", algo: "papo", targetKl: 0.5 }) };
  expect(resolveRunConfig({}, stored)).toEqual(stored);
});
