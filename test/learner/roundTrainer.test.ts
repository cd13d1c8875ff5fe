import { createHash } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { CompiledUpdate } from "../../learner/compiledUpdate.ts";
import { EagerUpdate } from "../../learner/eagerUpdate.ts";
import { RoundTrainer, updateSettings } from "../../learner/roundTrainer.ts";
import { decodeTensorFile, encodeTensorFile } from "../../learner/safetensors.ts";
import type { TrainerSettings, TrainerState, UpdateResult } from "../../learner/trainer.ts";
import type { Minibatch, StepMetrics, UpdateEngine } from "../../learner/update.ts";
import { armRun, framesRun, play, train } from "./trainingRounds.ts";

const separateCnns = { kind: "nature", units: 32, shared: false, activation: "elu" };

const open: RoundTrainer[] = [];
afterEach(() => {
  for (const trainer of open.splice(0)) trainer.close();
});

function trainerOf(
  settings: TrainerSettings,
  engine: UpdateEngine = new CompiledUpdate(updateSettings(settings)),
): RoundTrainer {
  const trainer = new RoundTrainer(settings, engine);
  open.push(trainer);
  return trainer;
}

/** A state as it comes back from a checkpoint: through bytes, at any alignment. */
function throughFile(state: TrainerState): TrainerState {
  const bytes = encodeTensorFile({ metadata: {}, tensors: state.tensors });
  const shifted = new Uint8Array(bytes.length + 1).subarray(1);
  shifted.set(bytes);
  return { updates: state.updates, tensors: decodeTensorFile(shifted).tensors };
}

const digestOf = ({ updates, tensors }: TrainerState): string =>
  createHash("sha256")
    .update(encodeTensorFile({ metadata: { updates: String(updates) }, tensors }))
    .digest("hex");

/** Records what each step was given and gave. */
function recording(engine: UpdateEngine): {
  engine: UpdateEngine;
  steps: { metrics: StepMetrics; learningRate: number; minibatch: Minibatch }[];
} {
  const steps: { metrics: StepMetrics; learningRate: number; minibatch: Minibatch }[] = [];
  const step = (minibatch: Minibatch, learningRate: number): StepMetrics => {
    const metrics = engine.step(minibatch, learningRate);
    steps.push({ metrics, learningRate, minibatch: structuredClone(minibatch) });
    return metrics;
  };
  const wrapped: UpdateEngine = {
    setParameters: (parameters) => engine.setParameters(parameters),
    parameters: () => engine.parameters(),
    setOptimizer: (state) => engine.setOptimizer(state),
    optimizer: () => engine.optimizer(),
    step,
    evaluate: (name, inputs) => engine.evaluate(name, inputs),
    close: () => engine.close(),
  };
  return { engine: wrapped, steps };
}

describe.each([
  ["a gaussian MLP", armRun],
  ["a categorical network of frames", framesRun],
  ["a CNN for each of actor and critic", (more?: object) => framesRun({ network: separateCnns, ...more })],
] as const)("%s", (_, run) => {
  it.each([0, 1])("continues from a checkpoint bit for bit, at policy lag %i", async (policyLag) => {
    const settings = run({ policyLag });
    const straight = trainerOf(settings);
    const policies = [straight.initialise(null)];
    await train(settings, straight, policies, 3);
    const state = throughFile(straight.state());
    const resumed = trainerOf(settings);
    const again = policies.slice(0, 3);
    again.push(resumed.initialise(state));
    expect(again[3]!.digest).toBe(policies[3]!.digest);
    const want = await train(settings, straight, policies, 2);
    const got = await train(settings, resumed, again, 2);
    expect(got.map((result) => result.weightsSha256)).toEqual(want.map((result) => result.weightsSha256));
    expect(again.map(({ digest }) => digest)).toEqual(policies.map(({ digest }) => digest));
    expect(digestOf(resumed.state())).toBe(digestOf(straight.state()));
    expect(new Set(policies.map(({ digest }) => digest)).size).toBe(6); // every version is another one
  });

  it("starts every update at ratio 1, whatever the statistics have become", async () => {
    const settings = run();
    const { engine, steps } = recording(new CompiledUpdate(updateSettings(settings)));
    const trainer = trainerOf(settings, engine);
    const policies = [trainer.initialise(null)];
    for (let round = 0; round < 3; round++) {
      steps.length = 0;
      await train(settings, trainer, policies, 1);
      expect(steps[0]!.metrics.ratioMin).toBeGreaterThan(1 - 1e-5);
      expect(steps[0]!.metrics.ratioMax).toBeLessThan(1 + 1e-5);
      expect(steps.at(-1)!.metrics.ratioMax).toBeGreaterThan(1 + 1e-4); // and does move
    }
  });

  it("trains as the eager reference does", async () => {
    const settings = run();
    const compiled = trainerOf(settings);
    const eager = trainerOf(settings, new EagerUpdate(updateSettings(settings)));
    const policies = [compiled.initialise(null)];
    expect(eager.initialise(null).digest).toBe(policies[0]!.digest);
    const rollouts = await play(settings, 0, policies);
    const [a, b] = [compiled, eager].map((trainer) => trainer.update(0, rollouts).metrics);
    for (const name of [
      "policy_loss",
      "value_loss",
      "entropy",
      "approx_kl",
      "clip_fraction",
      "gradient_norm",
      "ratio_max",
    ])
      expect(a![name], name).toBeCloseTo(b![name]!, 3);
  });
});

describe("an update", () => {
  it("anneals the learning rate by whole updates: lr (1 − k/N), N = 10", async () => {
    const settings = armRun({ learningRate: 1e-3 });
    const { engine, steps } = recording(new EagerUpdate(updateSettings(settings)));
    const trainer = trainerOf(settings, engine);
    const results = await train(settings, trainer, [trainer.initialise(null)], 2);
    expect(results.map(({ metrics }) => metrics.learning_rate)).toEqual([1e-3, 1e-3 * (1 - 1 / 10)]);
    expect(steps.map(({ learningRate }) => learningRate)).toEqual([
      ...Array(4).fill(1e-3),
      ...Array(4).fill(1e-3 * (1 - 1 / 10)),
    ]);
  });

  it("shows every sample once per epoch, in another order each", async () => {
    const settings = armRun();
    const { engine, steps } = recording(new EagerUpdate(updateSettings(settings)));
    const trainer = trainerOf(settings, engine);
    const policies = [trainer.initialise(null)];
    const rollouts = await play(settings, 0, policies);
    trainer.update(0, rollouts);
    const sorted = (logProbs: number[]) => logProbs.sort((x, y) => x - y);
    const all = sorted(rollouts.flatMap(({ logProbs }) => [...logProbs]));
    const epochs = [0, 2].map((i) => steps.slice(i, i + 2).flatMap(({ minibatch }) => [...minibatch.logProbs]));
    expect(epochs[0]).not.toEqual(epochs[1]);
    for (const epoch of epochs) expect(sorted([...epoch])).toEqual(all);
  });

  it("reports the means of its minibatches, the extremes of the ratio, and where its time went", async () => {
    const settings = armRun({ policyLag: 1 });
    const { engine, steps } = recording(new EagerUpdate(updateSettings(settings)));
    const trainer = trainerOf(settings, engine);
    const [, second] = await train(settings, trainer, [trainer.initialise(null)], 2);
    const metrics = second!.metrics;
    const of = (pick: (m: StepMetrics) => number) => steps.slice(4).map((step) => pick(step.metrics));
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    expect(metrics.policy_loss).toBeCloseTo(mean(of((m) => m.policyLoss)), 12);
    expect(metrics.value_loss).toBeCloseTo(mean(of((m) => m.valueLoss)), 12);
    expect(metrics.approx_kl).toBeCloseTo(mean(of((m) => m.approxKl)), 12);
    expect(metrics.ratio_min).toBe(Math.min(...of((m) => m.ratioMin)));
    expect(metrics.ratio_max).toBe(Math.max(...of((m) => m.ratioMax)));
    expect(metrics.policy_lag).toBe(1);
    expect(metrics.explained_variance).toBeLessThan(1);
    for (const stage of ["assemble", "gae", "minibatch", "gather", "statistics", "export"])
      expect(metrics[`${stage}_seconds`], stage).toBeGreaterThanOrEqual(0);
    for (const value of Object.values(metrics)) expect(value).toSatisfy(Number.isFinite);
  });

  it("normalises with the statistics that acted, not the newest: weights that stand still give ratios of 1 at any lag", async () => {
    const still = { learningRate: 1e-12 };
    const lagging = trainerOf(armRun({ policyLag: 1, ...still }));
    const results = await train(armRun({ policyLag: 1, ...still }), lagging, [lagging.initialise(null)], 3);
    for (const { metrics } of results) expect(metrics.ratio_start_error).toBeLessThan(1e-4);

    const settings = armRun({ policyLag: "async", maxPolicyLag: 2, ...still });
    const mixing = trainerOf(settings);
    const policies = [mixing.initialise(null)];
    const old = await play(settings, 0, policies);
    policies.push(mixing.update(0, old).snapshot);
    const [fresh] = await play(settings, 1, policies);
    const { metrics } = mixing.update(1, [fresh!, old[1]!]); // two versions side by side
    expect([metrics.policy_lag, metrics.ratio_start_error! < 1e-4]).toEqual([0.5, true]);
  });

  it("keeps the statistics that untrained rounds act with, and folds the round in for the version after", async () => {
    const settings = armRun({ policyLag: 1 });
    const trainer = trainerOf(settings);
    const policies = [trainer.initialise(null)];
    await train(settings, trainer, policies, 3);
    const { tensors } = trainer.state();
    const kept = Object.keys(tensors).filter((name) => name.startsWith("observations.") && name.endsWith(".count"));
    expect(kept).toEqual(["observations.2.count", "observations.3.count"]);
    const counts = kept.map((name) => new Float64Array(tensors[name]!.data.buffer)[0]!);
    expect(counts[0]).toBeCloseTo(2 * 64 + 1e-4, 6);
    expect(counts[1]).toBeCloseTo(3 * 64 + 1e-4, 6);
  });

  it("takes async rollouts of several versions and of one EnvBatch twice", async () => {
    const settings = armRun({ policyLag: "async", maxPolicyLag: 2 });
    const trainer = trainerOf(settings);
    const policies = [trainer.initialise(null)];
    const old = await play(settings, 0, policies);
    policies.push(trainer.update(0, old).snapshot);
    const fresh = await play(settings, 1, policies);
    const mixed = [{ ...old[1]!, key: { ...old[1]!.key, envBatch: 0 } }, fresh[0]!];
    expect(trainer.update(1, mixed).metrics.policy_lag).toBe(0.5);
  });
});

it("TRPO's step moves the actor's CNN alone, its minibatches the critic's", async () => {
  const settings = framesRun({ algo: "trpo", network: separateCnns });
  const trainer = trainerOf(settings);
  const policies = [trainer.initialise(null)];
  const before = trainer.state().tensors;
  const [{ metrics }] = (await train(settings, trainer, policies, 1)) as [UpdateResult];
  expect(metrics.line_search_accepted).toBe(1);
  expect(metrics.kl).toBeGreaterThan(0.001);
  expect(metrics.kl).toBeLessThan(settings.config.maxKl);
  const after = trainer.state().tensors;
  const moved = Object.keys(after)
    .filter((name) => /^weight.*weight$/.test(name))
    .filter((name) => Buffer.compare(after[name]!.data, before[name]!.data) !== 0);
  expect(moved).toHaveLength(10); // five layers each
});

describe("a bad round", () => {
  it("is refused before anything is learned from it", async () => {
    const settings = armRun();
    const trainer = trainerOf(settings);
    const policies = [trainer.initialise(null)];
    const rollouts = await play(settings, 0, policies);
    const before = trainer.state();
    const [first, second] = rollouts as [(typeof rollouts)[0], (typeof rollouts)[0]];
    expect(() => trainer.update(1, rollouts)).toThrow(/done 0 updates and was given round 1/);
    expect(() => trainer.update(0, [first])).toThrow(/has 1 rollouts, expected 2/);
    expect(() => trainer.update(0, [second, first])).toThrow(/Rollout 0 of round 0 is of EnvBatch 1/);
    const short = { ...second, rewards: second.rewards.subarray(1) };
    expect(() => trainer.update(0, [first, short])).toThrow("rewards has 31 elements, expected 32");
    const late = { ...second, key: { ...second.key, policyVersion: 1 } };
    expect(() => trainer.update(0, [first, late])).toThrow(
      /policy version 1, expected EnvBatch 1, round 0 and version 0/,
    );
    expect(digestOf(trainer.state())).toBe(digestOf(before));
  });

  it("with a NaN is reported as NUMERIC, and the weights stay finite", async () => {
    const settings = armRun({ normalizeRewards: false });
    const trainer = trainerOf(settings);
    const rollouts = await play(settings, 0, [trainer.initialise(null)]);
    rollouts[1]!.rewards[7] = Number.NaN;
    expect(() => trainer.update(0, rollouts)).toThrow(/\[NUMERIC\]/);
    const { tensors } = trainer.state();
    for (const { dtype, data } of Object.values(tensors))
      if (dtype === "F32") expect(new Float32Array(data.buffer).every(Number.isFinite)).toBe(true);
  });
});

describe("a state of another run", () => {
  it("is refused, naming the tensor", () => {
    const small = trainerOf(armRun());
    small.initialise(null);
    const state = small.state();
    const larger = trainerOf(armRun({ network: { kind: "mlp", hidden: [32, 16] } }));
    expect(() => larger.initialise(state)).toThrow(
      /MISMATCH.*weight.actor.0.weight as F32 \[5, 16\].*expected F32 \[5, 32\]/,
    );
    const plain = trainerOf(armRun({ normalizeRewards: false }));
    expect(() => plain.initialise(state)).toThrow(/no use for: rewards.count/);
    const { "adam.step": _, ...tensors } = state.tensors;
    expect(() => small.initialise({ ...state, tensors })).toThrow(/has no tensor adam.step/);
  });
});
