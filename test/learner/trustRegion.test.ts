import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { CompiledUpdate } from "../../learner/compiledUpdate.ts";
import { EagerUpdate } from "../../learner/eagerUpdate.ts";
import type { Samples } from "../../learner/minibatches.ts";
import type { NetworkSpec } from "../../learner/networkSpec.ts";
import { type TrustRegionSettings, trustRegionStep } from "../../learner/trustRegion.ts";
import { policyParameterSpecs } from "../../learner/trustRegionFunctions.ts";
import type { UpdateEngine, UpdateSettings } from "../../learner/update.ts";
import { bytes, floats } from "./recordedTorch.ts";
import { gaussianNetwork, minibatchOf, numberSource, parametersOf, updateSettings } from "./updateCases.ts";

/** Made by recordTorch.py: one policy step of TRPO, the Fisher matrix by double backpropagation in float64. */
interface Recorded {
  readonly network: NetworkSpec;
  readonly settings: TrustRegionSettings;
  readonly minibatchSize: number;
  readonly samples: number;
  readonly initial: Readonly<Record<string, string>>;
  readonly final: Readonly<Record<string, string>>; // float64
  readonly observations: string;
  readonly actions: string;
  readonly logProbs: string;
  readonly advantages: string;
  readonly surrogate: readonly [before: number, after: number];
  readonly kl: number;
  readonly tries: number;
  readonly gradientNorm: number;
}
const { cases } = JSON.parse(readFileSync(new URL("../golden/torchTrustRegion.json", import.meta.url), "utf8")) as {
  cases: Recorded[];
};

const open: UpdateEngine[] = [];
afterEach(() => {
  for (const engine of open.splice(0)) engine.close();
});
type EngineClass = new (settings: UpdateSettings) => UpdateEngine;

function engineOf(network: NetworkSpec, size: number, Engine: EngineClass): UpdateEngine {
  const engine = new Engine(updateSettings(network, size, { algo: "trpo", onednn: "off", device: "cpu" }));
  open.push(engine);
  return engine;
}

function samplesOf(recorded: Recorded): Samples {
  const { network, samples } = recorded;
  const categorical = network.distribution.kind === "categorical";
  const empty = new Float32Array(samples);
  return {
    observations: network.input.frames ? new Uint8Array(bytes(recorded.observations)) : floats(recorded.observations),
    actions: categorical ? new Int32Array(bytes(recorded.actions)) : floats(recorded.actions),
    logProbs: floats(recorded.logProbs),
    advantages: floats(recorded.advantages),
    returns: empty,
    values: empty,
  };
}

function started(recorded: Recorded, Engine: EngineClass): UpdateEngine {
  const engine = engineOf(recorded.network, recorded.minibatchSize, Engine);
  engine.setParameters(
    Object.fromEntries(Object.entries(recorded.initial).map(([name, text]) => [name, floats(text)])),
  );
  return engine;
}

const named = cases.map((recorded) => {
  const { input, distribution } = recorded.network;
  return [`${distribution.kind}${input.frames ? " on frames" : ""}`, recorded] as const;
});

describe.each(named)("TRPO's policy step, %s", (_, recorded) => {
  it.each<[string, EngineClass]>([
    ["compiled", CompiledUpdate],
    ["in eager tfjs", EagerUpdate],
  ])("%s, is PyTorch's: weights within 2e-5 after moving by more than 1e-2", (_engine, Engine) => {
    const engine = started(recorded, Engine);
    const { network, minibatchSize, settings } = recorded;
    const result = trustRegionStep(engine, network, samplesOf(recorded), minibatchSize, settings);
    expect(result).toMatchObject({ accepted: true, tries: recorded.tries });
    expect(result.gradientNorm).toBeCloseTo(recorded.gradientNorm, 5);
    expect(result.before.surrogate).toBeCloseTo(recorded.surrogate[0], 5);
    expect(result.after.surrogate).toBeCloseTo(recorded.surrogate[1], 5);
    expect(result.after.kl).toBeCloseTo(recorded.kl, 5);
    const weights = engine.parameters();
    let [off, moved] = [0, 0];
    for (const [name, text] of Object.entries(recorded.final)) {
      const initial = floats(recorded.initial[name]!);
      new Float64Array(bytes(text)).forEach((want, i) => {
        off = Math.max(off, Math.abs(weights[name]![i]! - want));
        moved = Math.max(moved, Math.abs(initial[i]! - want));
      });
    }
    expect(off).toBeLessThan(2e-5);
    expect(moved).toBeGreaterThan(1e-2);
  });
});

it("keeps the old parameters, to the bit, where no length tried is within the region", () => {
  const recorded = cases.find(({ tries }) => tries === 2)!; // its first length is too long
  const engine = started(recorded, CompiledUpdate);
  const before = engine.parameters();
  const settings = { ...recorded.settings, lineSearchTries: 1 };
  const result = trustRegionStep(engine, recorded.network, samplesOf(recorded), recorded.minibatchSize, settings);
  expect(result).toMatchObject({ accepted: false, tries: 1 });
  expect(result.after).toEqual(result.before);
  expect(engine.parameters()).toEqual(before);
});

it("stays where it is if no sample has an advantage", () => {
  const recorded = cases[0]!;
  const engine = started(recorded, CompiledUpdate);
  const samples = { ...samplesOf(recorded), advantages: new Float32Array(recorded.samples) };
  const result = trustRegionStep(engine, recorded.network, samples, recorded.minibatchSize, recorded.settings);
  expect(result).toMatchObject({ accepted: false, tries: 0, gradientNorm: 0 });
});

it("refuses a surrogate that is not finite, and leaves the weights", () => {
  const recorded = cases[0]!;
  const engine = started(recorded, CompiledUpdate);
  const before = engine.parameters();
  const samples = { ...samplesOf(recorded), advantages: new Float32Array(recorded.samples).fill(Number.NaN) };
  const { network, minibatchSize, settings } = recorded;
  expect(() => trustRegionStep(engine, network, samples, minibatchSize, settings)).toThrow(
    /^\[NUMERIC\] TRPO's policy step has surrogate NaN and gradient norm NaN; it was not taken/,
  );
  expect(engine.parameters()).toEqual(before);
});

it("refuses a Fisher product that is not finite, which is no reason to keep the old policy without a word", () => {
  const recorded = cases[0]!;
  const engine = started(recorded, CompiledUpdate);
  const before = engine.parameters();
  const evaluate = engine.evaluate.bind(engine);
  engine.evaluate = (name, inputs) => {
    const outputs = evaluate(name, inputs);
    if (name === "fisherProduct") Object.values(outputs)[0]![0] = Number.NaN;
    return outputs;
  };
  const { network, minibatchSize, settings } = recorded;
  expect(() => trustRegionStep(engine, network, samplesOf(recorded), minibatchSize, settings)).toThrow(
    /^\[NUMERIC\] TRPO's policy step has gradient norm \d.* and curvature x'Fx NaN; it was not taken/,
  );
  expect(engine.parameters()).toEqual(before);
});

it("the Fisher product is symmetric and positive: u'Fv = v'Fu, v'Fv > 0", () => {
  const network = gaussianNetwork(3, [8], 2);
  const engine = engineOf(network, 16, CompiledUpdate);
  engine.setParameters(parametersOf(network, 3));
  const { observations } = minibatchOf(network, 16, 4);
  const specs = policyParameterSpecs(network);
  const { normal } = numberSource(9);
  const random = (): Record<string, Float32Array> =>
    Object.fromEntries(
      specs.map(({ name, shape }) => [name, Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, normal)]),
    );
  const product = (v: Record<string, Float32Array>) => engine.evaluate("fisherProduct", { observations, ...v });
  const inner = (a: Record<string, Float32Array>, b: Record<string, Float32Array>): number =>
    specs.reduce((sum, { name }) => sum + a[name]!.reduce((s, x, i) => s + x * b[name]![i]!, 0), 0);
  const [u, v] = [random(), random()];
  expect(inner(u, product(v))).toBeCloseTo(inner(v, product(u)), 3);
  expect(inner(v, product(v))).toBeGreaterThan(0.1);
});
