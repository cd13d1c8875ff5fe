import { afterEach, expect, it } from "vitest";
import { CompiledUpdate } from "../../learner/compiledUpdate.ts";
import { RefusedMinibatch } from "../../learner/refusedMinibatch.ts";
import { RoundTrainer, updateSettings } from "../../learner/roundTrainer.ts";
import { decodeTensorFile } from "../../learner/safetensors.ts";
import type { NamedTensor, TrainerSettings } from "../../learner/trainer.ts";
import { TrainerThread } from "../../learner/trainerThread.ts";
import type { Rollout } from "../../shared/rollout.ts";
import { armRun, framesRun, play } from "./trainingRounds.ts";

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

/** A round of which one reward is NaN; environment 5 of 8, step 6 of 8. */
async function spoiled(settings: TrainerSettings, policies: Parameters<typeof play>[2]): Promise<Rollout[]> {
  const rollouts = await play(settings, 0, policies);
  rollouts[1]!.rewards[6 * 4 + 1] = Number.NaN;
  rollouts[1]!.terminated[6 * 4 + 1] = 1;
  for (let t = 0; t < 6; t++) rollouts[1]!.terminated[t * 4 + 1] = 1; // the NaN stays with that one step
  return rollouts;
}

const floats = ({ data }: NamedTensor): number[] => [...new Float32Array(Uint8Array.from(data).buffer)];

function refused(act: () => unknown): RefusedMinibatch {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(RefusedMinibatch);
    return error as RefusedMinibatch;
  }
  throw new Error("the round was taken");
}

it.each([
  ["a gaussian MLP", armRun, [32, 5], "F32"],
  ["frames", framesRun, [32, 44, 44, 4], "U8"],
] as const)("a refused minibatch of %s is a file with all of it", async (_, run, observations, dtype) => {
  const settings = run({ normalizeRewards: false, epochs: 1, normalizeAdvantages: false });
  const trainer = new RoundTrainer(settings, new CompiledUpdate(updateSettings(settings)));
  open.push(trainer);
  const rollouts = await spoiled(settings, [trainer.initialise(null)]);
  const error = refused(() => trainer.update(0, rollouts));
  expect(error.message).toMatch(/^\[NUMERIC\] Update 1, epoch 1, minibatch [12]: Minibatch step [12] has loss NaN/);
  const { metadata, tensors } = decodeTensorFile(error.file);
  expect(JSON.parse(metadata.format!)).toBe("anchorage-refused-minibatch");
  expect(JSON.parse(metadata.config!)).toEqual(settings.config);
  expect(tensors.observations).toMatchObject({ shape: observations, dtype });
  const samples = [...new Int32Array(Uint8Array.from(tensors.sample!.data).buffer)];
  // the culprit is found by the file alone: sample t * envs + environment = 6 * 8 + 5
  const bad = floats(tensors.advantages!).findIndex(Number.isNaN);
  expect(samples[bad]).toBe(6 * 8 + 5);
  expect(floats(tensors.advantages!).filter(Number.isNaN)).toHaveLength(1);
  expect(tensors.logProbs!.shape).toEqual([32]);
  expect(floats(tensors.logProbs!)[bad]).toBe(rollouts[1]!.logProbs[6 * 4 + 1]);
  expect(floats(tensors.values!)[bad]).toBe(rollouts[1]!.values[6 * 4 + 1]);
  expect(floats(tensors.returns!)[bad]).toBeNaN();
  // the weights are those before the step; at its first minibatch every ratio is 1, at its second they have moved
  const first = JSON.parse(metadata.minibatch!) === 0;
  const off = Math.max(...floats(tensors.ratio!).map((ratio) => Math.abs(ratio - 1)));
  if (first) expect(off).toBeLessThan(1e-5);
  else expect(off).toBeGreaterThan(1e-5);
  const state = trainer.state().tensors;
  const weights = Object.keys(tensors).filter((name) => name.startsWith("weight."));
  expect(weights.length).toBeGreaterThan(5);
  for (const name of weights) expect(floats(tensors[name]!), name).toEqual(floats(state[name]!));
});

it("an algorithm without a ratio has none in the file; all else is there", async () => {
  const settings = armRun({ algo: "a2c", epochs: 1, normalizeRewards: false });
  const trainer = new RoundTrainer(settings, new CompiledUpdate(updateSettings(settings)));
  open.push(trainer);
  const rollouts = await spoiled(settings, [trainer.initialise(null)]);
  const { tensors } = decodeTensorFile(refused(() => trainer.update(0, rollouts)).file);
  expect(Object.keys(tensors)).not.toContain("ratio");
  expect(Object.keys(tensors)).toContain("advantages");
});

it("comes out of the trainer's thread whole, and later calls still say what happened", async () => {
  const settings = armRun({ normalizeRewards: false });
  const thread = new TrainerThread(settings);
  open.push(thread);
  const rollouts = await spoiled(settings, [await thread.initialise(null)]);
  const error = await thread.update(0, rollouts).catch((reason: unknown) => reason as RefusedMinibatch);
  expect(error).toBeInstanceOf(RefusedMinibatch);
  const { tensors } = decodeTensorFile((error as RefusedMinibatch).file);
  expect(floats(tensors.advantages!).some(Number.isNaN)).toBe(true);
  await expect(thread.state()).rejects.toThrow((error as RefusedMinibatch).message);
});
