import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { CompiledUpdate } from "../../../learner/compiledUpdate.ts";
import { EagerUpdate } from "../../../learner/eagerUpdate.ts";
import { loadOwnObjective } from "../../../learner/objectives/ownObjective.ts";
import type { UpdateEngine, UpdateSettings } from "../../../learner/update.ts";
import { categoricalNetwork, minibatchOf, parametersOf, updateSettings } from "../updateCases.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "own-objective-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function written(name: string, source: string): string {
  const file = join(folder, name);
  writeFileSync(file, source);
  return file;
}

const page = readFileSync(new URL("../../../docs/objectives.md", import.meta.url), "utf8");
const example = /```ts\n([\s\S]*?)```/.exec(page)![1]!;
const network = categoricalNetwork(4, [16], 3);
const base = updateSettings(network, 32, { onednn: "off", normalizeAdvantages: false });

function stepped(settings: UpdateSettings, Engine: new (settings: UpdateSettings) => UpdateEngine) {
  const engine = new Engine(settings);
  engine.setParameters(parametersOf(network, 1));
  try {
    const metrics = engine.step(minibatchOf(network, 32, 5), 1e-2);
    return { metrics, weights: Object.values(engine.parameters()).flatMap((array) => [...array]) };
  } finally {
    engine.close();
  }
}

it("the worked example of docs/objectives.md learns what it says, compiled as in eager tfjs", async () => {
  const algo = written("truncated.ts", example);
  const objective = (await loadOwnObjective(algo))!;
  const settings = { ...base, algo, objective, objectiveOptions: { truncation: 1.05 } };
  const compiled = stepped(settings, CompiledUpdate);
  const eager = stepped(settings, EagerUpdate);
  expect(compiled.metrics.policyLoss).toBeCloseTo(eager.metrics.policyLoss, 6);
  const apart = compiled.weights.map((weight, i) => Math.abs(weight - eager.weights[i]!));
  expect(Math.max(...apart)).toBeLessThan(2e-6);
  // c = 1.05 binds on some of these ratios, c = 1000 on none: then it is r A, and so is PPO that never clips
  const free = stepped({ ...settings, objectiveOptions: { truncation: 1000 } }, CompiledUpdate);
  const unclipped = stepped({ ...base, algo: "spo", clip: 1e9 }, CompiledUpdate);
  expect(free.metrics.policyLoss).toBeCloseTo(unclipped.metrics.policyLoss, 5);
  expect(Math.abs(free.metrics.policyLoss - compiled.metrics.policyLoss)).toBeGreaterThan(1e-3);
});

it("a NaN of the user's objective is refused with the numbers, and nothing is applied", async () => {
  const algo = written(
    "nan.js",
    "export default { perSample: (tf, { advantages }) => tf.log(tf.sub(advantages, 1e9)) };",
  );
  const objective = (await loadOwnObjective(algo))!;
  // the loss must depend on the weights: ln of a negative number times the ratio
  const settings = {
    ...base,
    algo,
    objective: {
      perSample: (...args: Parameters<typeof objective.perSample>) =>
        args[0].mul(objective.perSample(...args), args[1].excess),
    },
  };
  expect(() => stepped(settings, CompiledUpdate)).toThrow(
    /^\[NUMERIC\] Minibatch step 1 has loss NaN .* it was not applied/,
  );
});

it.each<[string, string, RegExp]>([
  [
    "empty.ts",
    "export const objective = 1;",
    /has no object with a function perSample as its default export \(it exports objective\)/,
  ],
  ["broken.ts", "export default {", /The objective module .*broken\.ts cannot be loaded/],
  [
    "greedy.ts",
    "export default { needs: ['rewards'], perSample: () => null };",
    /needs rewards, which no minibatch has\. It may need klCoef/,
  ],
  [
    "steering.ts",
    "export default { perSample: () => null, nextKlCoef: () => 1 };",
    /has nextKlCoef, but does not need klCoef and oldPolicy/,
  ],
])("a wrong module is one clear error: %s", async (name, source, message) => {
  await expect(loadOwnObjective(written(name, source))).rejects.toThrow(message);
});

it("a missing module and a result of the wrong shape are named", async () => {
  await expect(loadOwnObjective("nowhere.ts")).rejects.toThrow(/nowhere\.ts does not exist \(looked for \//);
  const algo = written("wide.js", "export default { perSample: (tf) => tf.zeros([4, 4]) };");
  const objective = (await loadOwnObjective(algo))!;
  expect(() => stepped({ ...base, algo, objective }, EagerUpdate)).toThrow(
    /perSample of the objective .*wide\.js gave a tensor of shape \[4, 4\], expected \[32\] or a scalar/,
  );
});
