import { expect, it } from "vitest";
import { CompiledUpdate } from "../../learner/compiledUpdate.ts";
import { weightsSha256 } from "../../learner/weightsHash.ts";
import { cases, nameOf, replay } from "./recordedTorch.ts";
import { frameNetwork, minibatchOf, parametersOf, updateSettings } from "./updateCases.ts";

// Its own file: a process has one oneDNN setting, and test/learner/torchUpdate.test.ts has the other.
it.each(cases.map((recorded) => [nameOf(recorded), recorded] as const))(
  "with oneDNN's kernels the compiled update takes PyTorch's steps, too (%s)",
  (_, recorded) => {
    const off = replay(recorded, "on", (settings) => new CompiledUpdate(settings));
    expect(off.metricsOff).toBeLessThan(1e-5);
    expect(off.weightsOff).toBeLessThan(3e-6);
    expect(off.weightsMoved).toBeGreaterThan(2e-3);
  },
);

it("with oneDNN's kernels, too, the Nature CNN ends with the same bits however many operations run at the same time", () => {
  const settings = updateSettings(frameNetwork("nature", 6), 16, { onednn: "on" });
  const initial = parametersOf(settings.network, 1);
  const minibatches = [10, 11, 12].map((seed) => minibatchOf(settings.network, settings.minibatchSize, seed));
  const weights = [1, 2, 4, 4].map((operations) => {
    const engine = new CompiledUpdate(settings, operations);
    engine.setParameters(initial);
    for (const minibatch of minibatches) engine.step(minibatch, 3e-4);
    const ended = weightsSha256(settings.network, engine.parameters());
    engine.close();
    return ended;
  });
  expect(new Set(weights).size).toBe(1);
});
