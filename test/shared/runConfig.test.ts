import { expect, it } from "vitest";
import { resolveRunConfig } from "../../shared/presets.ts";

it.each<[object, RegExp]>([
  [{ policyLag: 5 }, /policyLag: expected 0, 1 or async \(got 5\)/],
  [{ envOptions: { frames: [4] } }, /envOptions\.frames: expected a number, a boolean or a string \(got \[4\]\)/],
  [{ network: { kind: "lstm" } }, /network\.kind: .*'mlp' \| 'nature'/],
  [{ algo: "a2c" }, /algo: .*"ano"\|"ppo".*\(got "a2c"\)/],
  [{ gama: 0.9 }, /gama .*Did you mean "gamma"\?/],
  [{ gama: 0.9, seed: -1 }, /seed: .*\(got -1\).*gama /],
])("a wrong setting is named with its value and what is allowed: %j", (given, message) => {
  const resolve = (): unknown => resolveRunConfig({ env: "CartPole-v1", ...given });
  expect(resolve).toThrow(message);
  expect(resolve).not.toThrow(/[.?!][.;]/); // one sentence ends once
});
