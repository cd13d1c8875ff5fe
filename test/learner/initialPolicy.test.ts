import { afterEach, describe, expect, it } from "vitest";
import { encodeCheckpoint } from "../../learner/checkpoint.ts";
import { CompiledUpdate } from "../../learner/compiledUpdate.ts";
import { initialPolicy } from "../../learner/initialPolicy.ts";
import { networkSpec } from "../../learner/networkSpec.ts";
import { encodeModel } from "../../learner/onnxModel.ts";
import { RoundTrainer, updateSettings } from "../../learner/roundTrainer.ts";
import type { NamedTensor, TrainerSettings } from "../../learner/trainer.ts";
import type { PolicySnapshot } from "../../shared/policySnapshot.ts";
import { configDigest } from "../../shared/runConfig.ts";
import { sampleCheckpoint } from "./sampleCheckpoint.ts";
import { armRun, framesRun, play, train } from "./trainingRounds.ts";

const open: RoundTrainer[] = [];
afterEach(() => {
  for (const trainer of open.splice(0)) trainer.close();
});

function trainerOf(settings: TrainerSettings): RoundTrainer {
  const trainer = new RoundTrainer(settings, new CompiledUpdate(updateSettings(settings)));
  open.push(trainer);
  return trainer;
}

interface Trained {
  readonly settings: TrainerSettings;
  readonly policy: PolicySnapshot;
  readonly tensors: Readonly<Record<string, NamedTensor>>;
  readonly checkpoint: Uint8Array;
}

/** A run of two updates, as its policy.onnx and its checkpoint. */
async function trained(settings: TrainerSettings): Promise<Trained> {
  const trainer = trainerOf(settings);
  const policies = [trainer.initialise(null)];
  await train(settings, trainer, policies, 2);
  const policy = policies.at(-1)!;
  const state = trainer.state();
  const { config, spec } = settings;
  const { metadata, starts } = sampleCheckpoint().parts;
  const own = { ...metadata, config, configDigest: configDigest(config), environmentSpec: spec };
  const checkpoint = encodeCheckpoint({ metadata: own, trainer: state, policies: [policy], starts });
  return { settings, policy, tensors: state.tensors, checkpoint };
}

const floats = ({ data }: NamedTensor): Float32Array => new Float32Array(Uint8Array.from(data).buffer);
const doubles = ({ data }: NamedTensor): Float64Array => new Float64Array(Uint8Array.from(data).buffer);
const isWeight = (name: string): boolean => name.startsWith("weight.");

/** Largest |a - b| / (1e-3 + |a|). */
function apart(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(b.length).toBe(a.length);
  return Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!) / (1e-3 + Math.abs(x))), 0);
}

const separate = { kind: "nature", units: 32, shared: false };
const deep = { kind: "mlp", hidden: [16, 12], shared: true };

describe.each<[string, () => TrainerSettings]>([
  ["a gaussian MLP with statistics", () => armRun()],
  ["a shared trunk", () => armRun({ network: deep })],
  ["the Nature CNN", () => framesRun()],
  ["a CNN for each of actor and critic", () => framesRun({ network: separate })],
])("a run that begins from %s", (_, run) => {
  it("has the policy's own weights and statistics, with a fresh optimizer, and learns on", async () => {
    const { settings, policy, tensors } = await trained(run());
    const again = trainerOf(settings);
    const first = again.initialise(null, { name: "policy.onnx", bytes: policy.bytes });
    expect(first.version).toBe(0);
    const state = again.state();
    expect(state.updates).toBe(0);
    for (const name of Object.keys(tensors).filter(isWeight))
      expect(apart(floats(tensors[name]!), floats(state.tensors[name]!)), name).toBeLessThan(2e-7);
    for (const name of Object.keys(state.tensors).filter((each) => each.startsWith("adam.")))
      expect(
        state.tensors[name]!.data.some((byte) => byte !== 0),
        name,
      ).toBe(false);
    if (settings.config.normalizeObservations)
      for (const part of ["count", "mean", "variance"])
        expect(
          apart(doubles(tensors[`observations.2.${part}`]!), doubles(state.tensors[`observations.0.${part}`]!)),
        ).toBeLessThan(1e-6);
    const { snapshot } = again.update(0, await play(settings, 0, [first]));
    expect(snapshot.version).toBe(1);
  });

  it("has a checkpoint's to the bit, and its statistics of rewards", async () => {
    const { settings, tensors, checkpoint } = await trained(run());
    const again = trainerOf(settings);
    again.initialise(null, { name: "run.ckpt", bytes: checkpoint });
    const state = again.state().tensors;
    const same = (theirs: string, ours: string): void =>
      expect(Buffer.compare(tensors[theirs]!.data, state[ours]!.data), theirs).toBe(0);
    for (const name of Object.keys(tensors).filter(isWeight)) same(name, name);
    for (const part of ["count", "mean", "variance"]) {
      if (settings.config.normalizeObservations) same(`observations.2.${part}`, `observations.0.${part}`);
      if (settings.config.normalizeRewards) same(`rewards.${part}`, `rewards.${part}`);
    }
    if (settings.config.normalizeRewards) expect(doubles(state["rewards.returns"]!).every((x) => x === 0)).toBe(true);
  });
});

it("a policy of the very same numbers comes out of it: what it says is what the file said", async () => {
  const { settings, policy, checkpoint } = await trained(armRun());
  const outputs = async (snapshot: PolicySnapshot) => {
    const [rollout] = await play(settings, 0, [{ ...snapshot, version: 0 }]);
    return [...rollout!.logProbs, ...rollout!.values];
  };
  const want = await outputs(policy);
  for (const [name, bytes] of [
    ["policy.onnx", policy.bytes],
    ["run.ckpt", checkpoint],
  ] as const)
    expect(await outputs(trainerOf(settings).initialise(null, { name, bytes })), name).toEqual(want);
});

describe("what does not fit is refused, naming it", () => {
  it.each<[string, TrainerSettings, TrainerSettings, RegExp]>([
    [
      "other hidden sizes",
      armRun(),
      armRun({ network: { kind: "mlp", hidden: [32, 16] } }),
      /initFrom: policy\.onnx does not fit this run: its actor\.0\.weight is \[5, 16\], expected \[5, 32\]\. Choose the network .* as it has them: Arm-v0, actor\.0\.weight \[5, 16\]/,
    ],
    [
      "a shared trunk",
      armRun({ network: deep }),
      armRun({ network: { ...deep, shared: false } }),
      /its actor\.0\.weight is \[12, 2\], expected \[5, 16\]/,
    ],
    [
      "one layer more",
      armRun(),
      armRun({ network: { kind: "mlp", hidden: [16] } }),
      /its actor\.1\.weight is \[16, 16\], expected \[16, 2\]/,
    ],
    [
      "another activation",
      armRun(),
      armRun({ network: { kind: "mlp", hidden: [16, 16], activation: "relu" } }),
      /it computes Tanh\(actor\.0\.product\) -> actor\.0\.output where this run has Relu\(actor\.0\.product\)/,
    ],
    [
      "no normalisation",
      armRun(),
      armRun({ normalizeObservations: false }),
      /it normalises observations, and this run does not\. Set normalizeObservations=true\./,
    ],
    ["another kind of network", framesRun(), armRun({ normalizeObservations: false }), /its actor\.0\.weight is \[/],
  ])("%s", async (_, source, target, message) => {
    const { policy, checkpoint } = await trained(source);
    const own = networkSpec(target.config, target.spec);
    const refused = (name: string, bytes: Uint8Array) => () => initialPolicy({ name, bytes }, own, target.spec);
    expect(refused("policy.onnx", policy.bytes)).toThrow(message);
    const fromCheckpoint = new RegExp(
      message.source.replace("policy\\.onnx", "a\\.ckpt").replace(/, actor.*$/, ", network {"),
    );
    expect(refused("a.ckpt", checkpoint)).toThrow(fromCheckpoint);
  });

  it("what is neither a policy nor a checkpoint, or is damaged", async () => {
    const { settings, policy, checkpoint } = await trained(armRun());
    const own = networkSpec(settings.config, settings.spec);
    const refused = (bytes: Uint8Array) => () => initialPolicy({ name: "f", bytes }, own, settings.spec);
    expect(refused(policy.bytes)).not.toThrow();
    expect(refused(checkpoint)).not.toThrow();
    expect(refused(Buffer.from("# Anchorage\n"))).toThrow(
      /^\[CONFIG\] initFrom: f cannot be used: it is no ONNX model/,
    );
    expect(refused(new Uint8Array(0))).toThrow(/it is an ONNX model of an unknown producer/);
    expect(refused(policy.bytes.subarray(0, 900))).toThrow(/initFrom: f cannot be used: /);
    const flipped = Uint8Array.from(checkpoint);
    flipped[flipped.length - 1]! ^= 1;
    expect(refused(flipped)).toThrow(/initFrom: f cannot be used: The checkpoint is damaged: its checksum is/);
    const foreign = Buffer.from(encodeModel({ inputs: [], outputs: [], nodes: [], initializers: [], metadata: {} }));
    foreign.write("pytorch  ", foreign.indexOf("anchorage"));
    expect(refused(foreign)).toThrow(/it is an ONNX model of pytorch {2}, not one of Anchorage's policies/);
  });

  it("a policy of an earlier build, which does not say how many observations its statistics are of", async () => {
    const { settings, policy } = await trained(armRun());
    const old = Buffer.from(policy.bytes);
    old.write("observations.kount", old.indexOf("anchorage.observations.count") + "anchorage.".length);
    const network = networkSpec(settings.config, settings.spec);
    expect(() => initialPolicy({ name: "old.onnx", bytes: old }, network, settings.spec)).toThrow(
      /old\.onnx does not say how many observations .* give a checkpoint of that run/,
    );
  });
});
