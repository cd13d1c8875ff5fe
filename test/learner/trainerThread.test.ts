import { afterEach, describe, expect, it } from "vitest";
import { CompiledUpdate } from "../../learner/compiledUpdate.ts";
import { RoundTrainer, updateSettings } from "../../learner/roundTrainer.ts";
import type { Trainer } from "../../learner/trainer.ts";
import { TrainerThread } from "../../learner/trainerThread.ts";
import type { OperatorError } from "../../shared/errors.ts";
import { armRun, play } from "./trainingRounds.ts";

/** The worker is the compiled one: `npm test` builds before it runs this. */
const open: Trainer[] = [];
afterEach(async () => {
  for (const trainer of open.splice(0)) await trainer.close();
});

function threadOf(settings = armRun()): TrainerThread {
  const trainer = new TrainerThread(settings);
  open.push(trainer);
  return trainer;
}

describe("a trainer in a thread of its own", () => {
  it("computes what one on this thread does, leaves the rollouts to the caller, and continues from its state", async () => {
    const settings = armRun();
    const thread = threadOf(settings);
    const here = new RoundTrainer(settings, new CompiledUpdate(updateSettings(settings)));
    const policies = [here.initialise(null)];
    expect((await thread.initialise(null)).digest).toBe(policies[0]!.digest);
    for (let round = 0; round < 2; round++) {
      const rollouts = await play(settings, round, policies);
      const result = await thread.update(round, rollouts);
      expect(rollouts[1]!.observations.length).toBe(8 * 4 * 5);
      const want = here.update(round, rollouts);
      expect(result.weightsSha256).toBe(want.weightsSha256);
      expect(result.snapshot).toEqual(want.snapshot);
      policies.push(result.snapshot);
    }
    const state = await thread.state();
    expect(state).toEqual(here.state());
    here.close();
    const resumed = threadOf(settings);
    expect((await resumed.initialise(state)).digest).toBe(policies[2]!.digest);
    expect(state.tensors["adam.step"]!.data.byteLength).toBe(8); // still the caller's
  });

  it("passes the OperatorError on and is not usable afterwards", async () => {
    const settings = armRun({ normalizeRewards: false });
    const thread = threadOf(settings);
    const rollouts = await play(settings, 0, [await thread.initialise(null)]);
    rollouts[0]!.rewards[0] = Number.NaN;
    const error = await thread.update(0, rollouts).then(
      () => null,
      (reason: OperatorError) => reason,
    );
    expect(error).toMatchObject({ name: "OperatorError", code: "NUMERIC" });
    expect(error!.message).toMatch(/^\[NUMERIC\] \S/);
    await expect(thread.state()).rejects.toThrow(error!.message); // a half-trained round must not become a checkpoint
  });

  it("begins from another run's policy, and says of one that does not fit what is wrong", async () => {
    const settings = armRun();
    const first = await threadOf(settings).initialise(null);
    const initial = { name: "policy.onnx", bytes: first.bytes };
    const other = { ...settings.config, seed: 2 };
    const begun = await threadOf({ ...settings, config: other }).initialise(null, initial);
    expect(begun.digest).toBe(first.digest); // not the weights of seed 2
    const wide = threadOf(armRun({ network: { kind: "mlp", hidden: [32, 16] } }));
    await expect(wide.initialise(null, initial)).rejects.toThrow(
      /^\[CONFIG\] initFrom: policy\.onnx does not fit this run: its actor\.0\.weight is \[5, 16\], expected \[5, 32\]/,
    );
  });

  it("answers calls in order while this thread goes on, and ends after the last of them", async () => {
    const thread = new TrainerThread(armRun());
    const order: string[] = [];
    const note = (what: string) => () => void order.push(what);
    const calls = [
      thread.initialise(null).then(note("initialise")),
      thread.state().then(note("state")),
      thread.close().then(note("close")),
    ];
    order.push("asked");
    await Promise.all(calls);
    expect(order).toEqual(["asked", "initialise", "state", "close"]);
    await expect(thread.state()).rejects.toThrow("the trainer is closed");
    await thread.close();
  });

  it("refuses a network that does not fit the environment before it starts anything", () => {
    const settings = armRun({ network: { kind: "nature" } });
    expect(() => new TrainerThread(settings)).toThrow(/CONFIG.*network.kind=nature/);
  });
});
