import { afterEach, describe, expect, it } from "vitest";
import { CompiledUpdate } from "../../learner/compiledUpdate.ts";
import { EagerUpdate } from "../../learner/eagerUpdate.ts";
import { RoundTrainer, updateSettings } from "../../learner/roundTrainer.ts";
import type { TrainerSettings, UpdateResult } from "../../learner/trainer.ts";
import type { Minibatch, StepMetrics, UpdateEngine, UpdateSettings } from "../../learner/update.ts";
import { algorithmNames, traitsOf } from "../../shared/algorithms.ts";
import { armRun, framesRun, play, train } from "./trainingRounds.ts";

const open: RoundTrainer[] = [];
afterEach(() => {
  for (const trainer of open.splice(0)) trainer.close();
});

function trainerOf(
  settings: TrainerSettings,
  Engine: new (settings: UpdateSettings) => UpdateEngine = CompiledUpdate,
): RoundTrainer {
  const trainer = new RoundTrainer(settings, new Engine(updateSettings(settings)));
  open.push(trainer);
  return trainer;
}

/** What a run of four environments an EnvBatch needs beside the algorithm's name. */
const settingsOf = (algo: string): object => {
  const { fixed, reads } = traitsOf(algo);
  return { algo, ...fixed, ...(reads.includes("groupSize") && { groupSize: 2, referenceEvery: 2 }) };
};

describe.each(algorithmNames)("--algo %s", (algo) => {
  it("trains a round compiled as in eager tfjs, and goes on from a state bit for bit", async () => {
    const settings = armRun(settingsOf(algo));
    const compiled = trainerOf(settings);
    const eager = trainerOf(settings, EagerUpdate);
    const policies = [compiled.initialise(null)];
    eager.initialise(null);
    const rollouts = await play(settings, 0, policies);
    const [a, b] = [compiled, eager].map((trainer) => trainer.update(0, rollouts).metrics) as [
      UpdateResult["metrics"],
      UpdateResult["metrics"],
    ];
    expect(Object.keys(a)).toEqual(Object.keys(b));
    for (const name of Object.keys(a).filter((key) => !key.endsWith("_seconds")))
      expect(Math.abs(a[name]! - b[name]!), name).toBeLessThan(1e-3 * Math.max(1, Math.abs(b[name]!)));

    const straight = trainerOf(settings);
    const versions = [straight.initialise(null)];
    await train(settings, straight, versions, 2);
    const resumed = trainerOf(settings);
    const again = [...versions.slice(0, 2), resumed.initialise(straight.state())];
    const [want] = await train(settings, straight, versions, 1);
    const [got] = await train(settings, resumed, again, 1);
    expect(got!.weightsSha256).toBe(want!.weightsSha256);
    const seconds = (metrics: UpdateResult["metrics"]) =>
      Object.fromEntries(Object.entries(metrics).filter(([name]) => !name.endsWith("_seconds")));
    expect(seconds(got!.metrics)).toEqual(seconds(want!.metrics));
  });

  it("learns from frames", async () => {
    const settings = framesRun(settingsOf(algo));
    const trainer = trainerOf(settings);
    const policies = [trainer.initialise(null)];
    const results = await train(settings, trainer, policies, 1);
    for (const [name, value] of Object.entries(results[0]!.metrics)) expect(value, name).toSatisfy(Number.isFinite);
    expect(policies[1]!.digest).not.toBe(policies[0]!.digest);
  });
});

describe("ppo-kl-adaptive", () => {
  it("steers the weight of the KL from update to update: run state, in the metrics", async () => {
    const settings = armRun({ algo: "ppo-kl-adaptive", klCoef: 4, desiredKl: 1000 });
    const trainer = trainerOf(settings);
    const results = await train(settings, trainer, [trainer.initialise(null)], 3);
    expect(results.map(({ metrics }) => metrics.kl_coef)).toEqual([4, 2, 1]);
    const { data } = trainer.state().tensors["objective.kl_coef"]!;
    expect(new Float64Array(data.slice().buffer)[0]).toBe(0.5);
    for (const { metrics } of results) expect(metrics.kl).toBeGreaterThan(0);
  });

  it("is held nearer the old policy by a larger weight", async () => {
    const [loose, tight] = await Promise.all(
      [0, 1000].map(async (klCoef) => {
        const settings = armRun({
          algo: "ppo-kl-fixed",
          klCoef,
          epochs: 8,
          learningRate: 3e-3,
          annealLearningRate: false,
        });
        const trainer = trainerOf(settings);
        const [result] = await train(settings, trainer, [trainer.initialise(null)], 1);
        return result!.metrics.kl!;
      }),
    );
    expect(tight!).toBeLessThan(0.2 * loose!);
  });
});

it("targetKl ends a round's epochs after the first that passed it", async () => {
  const epochsWith = async (targetKl: number): Promise<number> => {
    const settings = armRun({ algo: "ppo", epochs: 5, learningRate: 1e-2, targetKl });
    const trainer = trainerOf(settings);
    const [result] = await train(settings, trainer, [trainer.initialise(null)], 1);
    return result!.metrics.epochs!;
  };
  expect(await epochsWith(1e6)).toBe(5);
  expect(await epochsWith(1e-9)).toBe(1);
});

it("papo's minibatches hold each sample's raw TD error r + gamma V' - V, and its value", async () => {
  const settings = armRun({ algo: "papo", gamma: 0.9, normalizeRewards: false, epochs: 1, minibatches: 2 });
  const seen: string[] = [];
  class Listening extends CompiledUpdate {
    override step(minibatch: Minibatch, learningRate: number): StepMetrics {
      const { values, tdErrors } = minibatch;
      for (const [i, value] of values.entries()) seen.push(`${value} ${tdErrors![i]!.toFixed(4)}`);
      return super.step(minibatch, learningRate);
    }
  }
  const trainer = trainerOf(settings, Listening);
  const rollouts = await play(settings, 0, [trainer.initialise(null)]);
  trainer.update(0, rollouts);
  const want = rollouts.flatMap(({ rewards, values, nextValues, terminated }) =>
    [...values].map((value, i) => {
      const bootstrap = terminated[i] ? 0 : 0.9 * nextValues[i]!;
      return `${value} ${Math.fround(rewards[i]! + bootstrap - value).toFixed(4)}`;
    }),
  );
  expect(seen.sort()).toEqual(want.sort());
});

it.each(["pg", "grpo", "gano"])("%s leaves the critic as it was", async (algo) => {
  const settings = armRun(settingsOf(algo));
  const trainer = trainerOf(settings);
  const policies = [trainer.initialise(null)];
  const before = trainer.state().tensors;
  await train(settings, trainer, policies, 1);
  const after = trainer.state().tensors;
  for (const name of Object.keys(before).filter((key) => key.startsWith("weight.")))
    expect(Buffer.compare(before[name]!.data, after[name]!.data) === 0, name).toBe(name.startsWith("weight.critic"));
});

describe("the reference policy", () => {
  const grouped = { ...settingsOf("grpo"), annealLearningRate: false, learningRate: 1e-2 };
  const referenceOf = async (more: object, rounds: number) => {
    const settings = armRun({ ...grouped, ...more });
    const trainer = trainerOf(settings);
    const policies = [trainer.initialise(null)];
    const results = await train(settings, trainer, policies, rounds);
    return { trainer, metrics: results.map((result) => result.metrics) };
  };

  it("is the initial policy, statistics included, until its turn comes: every second update", async () => {
    const { metrics } = await referenceOf({ referenceEvery: 2 }, 5);
    expect(metrics.map((of) => of.reference_version)).toEqual([0, 0, 2, 2, 4]);
    const same = metrics.map((of) => of.reference_kl! < 1e-9); // the policy that acts is the reference, to rounding
    expect(same).toEqual([true, false, true, false, true]);
    for (const each of metrics) expect(each.ratio_start_error).toBeLessThan(1e-4); // its weights are not left in the engine
  });

  it("stays the initial policy where referenceEvery is null", async () => {
    const { metrics, trainer } = await referenceOf({ referenceEvery: null }, 3);
    expect(metrics.map((of) => of.reference_version)).toEqual([0, 0, 0]);
    expect(metrics[2]!.reference_kl).toBeGreaterThan(metrics[1]!.reference_kl! / 10);
    const fresh = trainerOf(armRun(grouped));
    fresh.initialise(null);
    for (const [name, { data }] of Object.entries(trainer.state().tensors))
      if (name.startsWith("reference.")) expect(Buffer.compare(data, fresh.state().tensors[name]!.data), name).toBe(0);
  });

  it("is the policy that the run was begun from, its statistics too", async () => {
    const { trainer: before } = await referenceOf({}, 3);
    const weights = before.state().tensors;
    const settings = armRun({ ...grouped, referenceEvery: null });
    const trainer = trainerOf(settings);
    const bytes = before.initialise(before.state()).bytes; // the newest policy's file
    const results = await train(settings, trainer, [trainer.initialise(null, { name: "policy.onnx", bytes })], 2);
    expect(results[0]!.metrics.reference_kl).toBeLessThan(1e-9);
    expect(results[1]!.metrics.reference_kl).toBeGreaterThan(1e-6);
    const { data } = trainer.state().tensors["reference.weight.actor.0.weight"]!;
    expect(Buffer.compare(data, weights["weight.actor.0.weight"]!.data)).toBe(0);
  });

  it("is in the state, and no tensor of it may lack", async () => {
    const { trainer } = await referenceOf({ referenceEvery: 2 }, 3);
    const { tensors } = trainer.state();
    const version = new BigInt64Array(tensors["reference.version"]!.data.slice().buffer)[0];
    expect(version).toBe(2n);
    for (const name of Object.keys(tensors).filter((of) => of.startsWith("reference."))) {
      const { [name]: _, ...rest } = tensors;
      expect(() => trainer.initialise({ updates: 3, tensors: rest })).toThrow(`has no tensor ${name}`);
    }
    expect(tensors).toHaveProperty(["reference.observations.variance"]);
  });

  it("holds the policy nearer by a larger weight", async () => {
    const [loose, tight] = await Promise.all(
      [0, 50].map(async (referenceKlCoef) => {
        const { metrics } = await referenceOf({ referenceKlCoef, referenceEvery: null, epochs: 8 }, 3);
        return metrics.at(-1)!.reference_kl!;
      }),
    );
    expect(tight!).toBeLessThan(0.2 * loose!);
  });
});

describe("vtrace", () => {
  it("on policy, with gaeLambda 1 for comparison, ends with the same weights to float32's precision", async () => {
    const weightsAfter = async (more: object): Promise<Float32Array> => {
      const settings = armRun({ algo: "ppo", annealLearningRate: false, ...more });
      const trainer = trainerOf(settings);
      // `play` draws the values of next observations at random: only rollouts whose values are 0 are the same for both
      const rollouts = (await play(settings, 0, [trainer.initialise(null)])).map((rollout) => ({
        ...rollout,
        values: new Float32Array(rollout.values.length),
        nextValues: new Float32Array(rollout.values.length),
      }));
      trainer.update(0, rollouts);
      return new Float32Array(trainer.state().tensors["weight.actor.0.weight"]!.data.slice().buffer);
    };
    const [gae, corrected] = await Promise.all([weightsAfter({ gaeLambda: 1 }), weightsAfter({ vtrace: true })]);
    gae.forEach((weight, i) => {
      expect(Math.abs(weight - corrected[i]!)).toBeLessThan(2e-5);
    });
  });

  it.each(["ano", "a2c"])("trains async rollouts of an older version: %s", async (algo) => {
    const settings = armRun({ algo, policyLag: "async", maxPolicyLag: 2, vtrace: true, ...traitsOf(algo).fixed });
    const trainer = trainerOf(settings);
    const old = await play(settings, 0, [trainer.initialise(null)]);
    trainer.update(0, old);
    const { metrics } = trainer.update(1, old);
    expect(metrics.policy_lag).toBe(1);
    expect(metrics.ratio_start_error).toBeGreaterThan(1e-4);
    for (const [name, value] of Object.entries(metrics)) expect(value, name).toSatisfy(Number.isFinite);
  });
});
