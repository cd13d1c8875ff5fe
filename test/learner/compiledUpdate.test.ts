import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { CompiledUpdate } from "../../learner/compiledUpdate.ts";
import { EagerUpdate } from "../../learner/eagerUpdate.ts";
import { parameterSpecs } from "../../learner/networkSpec.ts";
import { loadTensorFlow } from "../../learner/tensorflow.ts";
import type {
  Minibatch,
  OptimizerState,
  ParameterArrays,
  StepMetrics,
  UpdateEngine,
  UpdateSettings,
} from "../../learner/update.ts";
import {
  categoricalNetwork,
  frameNetwork,
  gaussianNetwork,
  minibatchOf,
  parametersOf,
  separateFrameNetwork,
  updateSettings,
  withActivation,
} from "./updateCases.ts";

// One oneDNN setting per process: the equality with eager is shown without oneDNN, whose kernels only run in graphs.
const cases: readonly (readonly [string, UpdateSettings])[] = [
  ["HalfCheetah's nets", updateSettings(gaussianNetwork(17, [256, 256], 6), 256, { onednn: "off" })],
  [
    "the Nature CNN",
    updateSettings(frameNetwork("nature", 6), 16, { epsPos: 0.1, epsNeg: 0.1, valueClip: 0.1, onednn: "off" }),
  ],
  [
    "a shared trunk, PPO, unclipped values",
    updateSettings(categoricalNetwork(4, [32], 2), 64, { algo: "ppo", valueClip: null, onednn: "off" }),
  ],
  ["a CNN for each of actor and critic", updateSettings(separateFrameNetwork("small", 3), 16, { onednn: "off" })],
  [
    "SiLU layers, whose gradient reads what went in",
    updateSettings(withActivation(gaussianNetwork(5, [16, 16], 2), "silu"), 64, { onednn: "off" }),
  ],
];
const small = updateSettings(gaussianNetwork(5, [16], 2), 32, { onednn: "off" });

function minibatches(settings: UpdateSettings, count: number): Minibatch[] {
  return Array.from({ length: count }, (_, k) => minibatchOf(settings.network, settings.minibatchSize, 10 + k));
}
function started<E extends UpdateEngine>(engine: E, settings: UpdateSettings): E {
  engine.setParameters(parametersOf(settings.network, 1));
  return engine;
}
function largestDifference(a: ParameterArrays, b: ParameterArrays): number {
  const differences = Object.keys(a).map((name) =>
    a[name]!.reduce((most, x, i) => Math.max(most, Math.abs(x - b[name]![i]!)), 0),
  );
  return Math.max(...differences);
}
function digest(parameters: ParameterArrays): string {
  const hash = createHash("sha256");
  for (const array of Object.values(parameters))
    hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  return hash.digest("hex");
}
const relative = (a: number, b: number): number => Math.abs(a - b) / Math.max(1, Math.abs(a), Math.abs(b));

describe.each(cases)("the compiled update of %s", (_, settings) => {
  it("agrees with eager tfjs: metrics of the first step, weights and Adam's slots after five", () => {
    const compiled = started(new CompiledUpdate(settings), settings);
    const eager = started(new EagerUpdate(settings), settings);
    const steps = minibatches(settings, 5).map(
      (batch) => [compiled.step(batch, 3e-4), eager.step(batch, 3e-4)] as const,
    );
    for (const name of Object.keys(steps[0]![0]) as (keyof StepMetrics)[])
      expect(relative(steps[0]![0][name], steps[0]![1][name]), name).toBeLessThan(1e-6);
    expect(largestDifference(compiled.parameters(), eager.parameters())).toBeLessThan(2e-6);
    expect(largestDifference(compiled.parameters(), parametersOf(settings.network, 1))).toBeGreaterThan(3e-4);
    const [ours, reference] = [compiled.optimizer(), eager.optimizer()];
    expect(ours.step).toBe(5);
    expect(largestDifference(ours.m, reference.m)).toBeLessThan(2e-6);
    expect(largestDifference(ours.v, reference.v)).toBeLessThan(1e-7);
    compiled.close();
    eager.close();
  });

  it("ends with the same bits in every engine, however many operations run at the same time", () => {
    const [initial, batches] = [parametersOf(settings.network, 1), minibatches(settings, 3)];
    const digests = [1, 2, 4, 4].map((operations) => {
      const engine = new CompiledUpdate(settings, operations);
      engine.setParameters(initial);
      for (const batch of batches) engine.step(batch, 3e-4);
      const result = digest(engine.parameters());
      engine.close();
      return result;
    });
    expect(new Set(digests).size).toBe(1);
  });
});

describe("the compiled update", () => {
  it("continues with the same bits from its parameters and optimizer state", () => {
    const batches = minibatches(small, 6);
    const whole = started(new CompiledUpdate(small), small);
    for (const batch of batches) whole.step(batch, 3e-4);
    const first = started(new CompiledUpdate(small), small);
    for (const batch of batches.slice(0, 3)) first.step(batch, 3e-4);
    const resumed = new CompiledUpdate(small);
    resumed.setParameters(first.parameters());
    resumed.setOptimizer(first.optimizer());
    for (const batch of batches.slice(3)) resumed.step(batch, 3e-4);
    expect(digest(resumed.parameters())).toBe(digest(whole.parameters()));
    expect(resumed.optimizer().step).toBe(6);
  });

  it("takes the learning rate of each step, and none at 0", () => {
    const engine = started(new CompiledUpdate(small), small);
    const [batch] = minibatches(small, 1);
    engine.step(batch!, 0);
    expect(largestDifference(engine.parameters(), parametersOf(small.network, 1))).toBe(0);
    engine.step(batch!, 1e-2);
    // Adam's second step with the same gradient moves a weight by the learning rate, less where eps counts
    const moved = largestDifference(engine.parameters(), parametersOf(small.network, 1));
    expect(moved).toBeGreaterThan(0.9e-2);
    expect(moved).toBeLessThan(1.01e-2);
  });

  it("clips the global gradient norm: a tenth of the bound, a tenth of the first moment", () => {
    const moments = [0.5, 0.05].map((maxGradNorm) => {
      const engine = started(new CompiledUpdate({ ...small, maxGradNorm }), small);
      const { gradientNorm } = engine.step(minibatches(small, 1)[0]!, 3e-4);
      expect(gradientNorm).toBeGreaterThan(0.5);
      return Object.values(engine.optimizer().m).reduce((sum, m) => sum + m.reduce((s, x) => s + x * x, 0), 0) ** 0.5;
    });
    expect(moments[0]).toBeCloseTo(0.1 * 0.5, 6); // m = (1 - beta1) g
    expect(moments[1]).toBeCloseTo(0.1 * 0.05, 7);
  });

  it("does not apply a step whose loss is NaN: one error with the numbers, and everything as before", () => {
    const engine = started(new CompiledUpdate(small), small);
    const [batch, next] = minibatches(small, 2);
    engine.step(batch!, 3e-4);
    const before = { weights: digest(engine.parameters()), optimizer: engine.optimizer() };
    for (const field of ["returns", "advantages", "logProbs"] as const) {
      const bad = { ...next!, [field]: next![field].map((x, i) => (i === 7 ? Number.NaN : x)) };
      expect(() => engine.step(bad, 3e-4)).toThrow(
        /^\[NUMERIC\] Minibatch step 2 has loss NaN .* it was not applied\./,
      );
    }
    expect(digest(engine.parameters())).toBe(before.weights);
    expect(engine.optimizer()).toEqual(before.optimizer);
    expect(engine.step(next!, 3e-4).loss).toEqual(expect.any(Number));
  });

  it("stays finite for behaviour log-probabilities that are far off", () => {
    const engine = started(new CompiledUpdate(small), small);
    const [batch] = minibatches(small, 1);
    const metrics = engine.step({ ...batch!, logProbs: batch!.logProbs.map((l, i) => l + (i % 2 ? 500 : -500)) }, 3e-4);
    for (const [name, value] of Object.entries(metrics)) expect(Number.isFinite(value), name).toBe(true);
    expect(metrics.clipFraction).toBe(1);
  });

  it("refuses arrays of the wrong length, dtype or name, naming them", () => {
    const engine = started(new CompiledUpdate(small), small);
    const [batch] = minibatches(small, 1);
    const parameters = engine.parameters();
    expect(() => engine.step({ ...batch!, returns: new Float32Array(31) }, 1e-3)).toThrow(
      "minibatch.returns has 31 elements, expected 32.",
    );
    expect(() => engine.step({ ...batch!, observations: new Uint8Array(160) }, 1e-3)).toThrow(
      "minibatch.observations is a Uint8Array, expected a Float32Array.",
    );
    expect(() => engine.step(batch!, Number.NaN)).toThrow("[NUMERIC] learningRate is NaN.");
    const { "actor.log_std": _, ...lacking } = parameters;
    expect(() => engine.setParameters(lacking)).toThrow("parameters lack actor.log_std");
    expect(() => engine.setParameters({ ...parameters, extra: new Float32Array(1) })).toThrow("parameters hold extra");
    expect(() => engine.setOptimizer({ step: -1, m: parameters, v: parameters })).toThrow("optimizer.step is -1");
    const truncated: OptimizerState = {
      step: 1,
      m: parameters,
      v: { ...parameters, "actor.0.bias": new Float32Array(3) },
    };
    expect(() => engine.setOptimizer(truncated)).toThrow("optimizer.v.actor.0.bias has 3 elements, expected 16.");
  });

  it("refuses an action that the policy does not have", () => {
    const settings = updateSettings(categoricalNetwork(4, [8], 3), 8, { onednn: "off" });
    const engine = started(new CompiledUpdate(settings), settings);
    const [batch] = minibatches(settings, 1);
    const actions = Int32Array.of(0, 1, 2, 3, 0, 0, 0, 0);
    expect(() => engine.step({ ...batch!, actions }, 1e-3)).toThrow("minibatch.actions[3] is 3, outside 0..2.");
  });

  it("keeps nothing of the arrays it was given", () => {
    const [a, b] = [started(new CompiledUpdate(small), small), started(new CompiledUpdate(small), small)];
    const given = parametersOf(small.network, 1);
    a.setParameters(given);
    for (const array of Object.values(given)) array.fill(99);
    const [batch] = minibatches(small, 1);
    const spoilt = { ...batch!, advantages: batch!.advantages.slice() };
    a.step(spoilt, 3e-4);
    spoilt.advantages.fill(99);
    b.step(batch!, 3e-4);
    expect(digest(a.parameters())).toBe(digest(b.parameters()));
    a.parameters()["actor.0.bias"]!.fill(99);
    expect(digest(a.parameters())).toBe(digest(b.parameters()));
  });

  it("fails clearly once it is closed", () => {
    const engine = new CompiledUpdate(small);
    engine.close();
    expect(() => engine.parameters()).toThrow("the session is closed");
  });

  it("holds its memory over 2000 steps", { timeout: 60_000 }, () => {
    const engine = started(new CompiledUpdate(small), small);
    const [batch] = minibatches(small, 1);
    const run = (steps: number): number => {
      for (let i = 0; i < steps; i++) engine.step(batch!, 1e-5);
      engine.parameters();
      return process.memoryUsage().rss;
    };
    const warm = run(1000);
    expect(run(1000) - warm).toBeLessThan(20e6);
  });

  it("leaves none of tfjs's tensors behind", () => {
    const tf = loadTensorFlow(small);
    const before = tf.memory().numTensors;
    const engine = started(new CompiledUpdate(small), small);
    engine.step(minibatches(small, 1)[0]!, 1e-3);
    expect(tf.memory().numTensors).toBe(before);
    const eager = started(new EagerUpdate(small), small);
    eager.step(minibatches(small, 1)[0]!, 1e-3);
    const held = tf.memory().numTensors;
    eager.step(minibatches(small, 1)[0]!, 1e-3);
    expect(tf.memory().numTensors).toBe(held);
    eager.close();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("has one array per parameter, in the documented order", () => {
    const names = parameterSpecs(small.network).map((spec) => spec.name);
    expect(Object.keys(new CompiledUpdate(small).parameters())).toEqual(names);
  });
});
