import type { EnvBatch } from "../shared/environment.ts";
import { OperatorError } from "../shared/errors.ts";
import type { Rollout, RolloutKey } from "../shared/rollout.ts";
import { type RunConfig, runShape } from "../shared/runConfig.ts";
import { environmentSeed } from "../shared/seeds.ts";
import { ActionSampler } from "./actionSampler.ts";
import type { Policy } from "./policy.ts";
import { RolloutRecorder } from "./rolloutRecorder.ts";

/** What to collect: a lease, with the state and the policy that it names. */
export interface RolloutOrder {
  readonly key: RolloutKey;
  readonly actorId: string;
  readonly state: Uint8Array | null; // EnvBatch.save() where the round starts; null: round 0, reset
}

/**
 * Collects rollouts on one EnvBatch object. Nothing of a rollout stays behind: each begins by loading its state (or
 * resetting), so that any worker can do any of them, with the same result.
 */
export class RolloutCollector {
  readonly #config: RunConfig;
  readonly #batch: EnvBatch;
  readonly #recorder: RolloutRecorder;
  readonly #sampler: ActionSampler;
  readonly #lastValues: Float32Array;
  readonly #leaders: Int32Array | null; // [E] whose state each environment begins a rollout from; null: its own

  constructor(config: RunConfig, batch: EnvBatch) {
    this.#config = config;
    this.#batch = batch;
    this.#recorder = new RolloutRecorder(config, batch);
    this.#sampler = new ActionSampler({ action: batch.spec.action, size: batch.size, seed: config.seed });
    this.#lastValues = new Float32Array(batch.size);
    const { groupSize } = runShape(config);
    this.#leaders = groupSize === 1 ? null : Int32Array.from({ length: batch.size }, (_, e) => e - (e % groupSize));
  }

  /**
   * T steps with `policy`. The result's arrays are reused by the next call. Rejects with ENVIRONMENT where the
   * environments fail, NUMERIC where the policy gives no number, CORRUPT or MISMATCH for a state that does not load.
   */
  async collect({ key, actorId, state }: RolloutOrder, policy: Policy): Promise<Rollout> {
    const began = performance.now();
    let environmentMs = 0;
    let inferenceMs = 0;
    const { rolloutSteps, envBatchSize } = this.#config;
    const batch = this.#batch;
    const recorder = this.#recorder;
    const sampler = this.#sampler;
    this.#start(key, state);
    recorder.begin();
    for (let e = 0; e < envBatchSize; e++) sampler.environments[e] = key.envBatch * envBatchSize + e;
    let before = performance.now();
    environmentMs += before - began;
    for (let t = 0; t < rolloutSteps; t++) {
      policy.observe(batch.observations);
      recorder.observed(t, policy);
      sampler.steps.fill(key.round * rolloutSteps + t);
      await policy.run();
      const inferred = performance.now();
      inferenceMs += inferred - before;
      this.#sample(policy);
      recorder.acted(t, policy, sampler);
      const acted = performance.now();
      batch.step(sampler.actions);
      before = performance.now();
      environmentMs += before - acted;
      recorder.stepped(t);
    }
    policy.observe(batch.observations);
    await policy.run();
    this.#lastValues.set(policy.values);
    await recorder.fillNextValues(this.#lastValues, policy);
    const valued = performance.now();
    inferenceMs += valued - before;
    recorder.checkFinite();
    const endState = batch.save();
    const ended = performance.now();
    const timing = {
      environmentSeconds: (environmentMs + ended - valued) / 1000,
      inferenceSeconds: inferenceMs / 1000,
      totalSeconds: (ended - began) / 1000,
    };
    return recorder.rollout({ key, actorId, endState, timing });
  }

  /** Where the run has groups, the first environment of each plays on, and the others begin in its very state. */
  #start(key: RolloutKey, state: Uint8Array | null): void {
    if (state === null) this.#reset(key);
    if (this.#leaders !== null) this.#batch.load(state ?? this.#batch.save(), this.#leaders);
    else if (state !== null) this.#batch.load(state);
  }

  #reset({ envBatch, round }: RolloutKey): void {
    if (round !== 0)
      throw new OperatorError(
        "MISMATCH",
        `Round ${round} of EnvBatch ${envBatch} came without a state.`,
        "Only round 0 starts by a reset.",
      );
    const { seed, envBatchSize } = this.#config;
    const first = envBatch * envBatchSize;
    this.#batch.reset(BigUint64Array.from({ length: envBatchSize }, (_, e) => environmentSeed(seed, first + e)));
  }

  /** A policy that gives NaN is diverged, unless it was fed NaN. */
  #sample(policy: Policy): void {
    try {
      this.#sampler.sample(policy);
    } catch (error) {
      const bad = policy.observations.findIndex((value) => !Number.isFinite(value));
      if (bad < 0) throw error;
      const perEnvironment = policy.observations.length / policy.size;
      const where = `element ${bad % perEnvironment} in environment ${Math.floor(bad / perEnvironment)} of the EnvBatch`;
      const problem = `${this.#batch.spec.id} gave the observation ${policy.observations[bad]}, ${where}.`;
      throw new OperatorError("ENVIRONMENT", problem, "Mend the environment, or its envOptions.", { cause: error });
    }
  }
}
