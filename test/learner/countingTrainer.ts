import { createHash } from "node:crypto";
import type { Trainer, TrainerSettings, TrainerState, UpdateResult } from "../../learner/trainer.ts";
import { OperatorError } from "../../shared/errors.ts";
import type { PolicySnapshot } from "../../shared/policySnapshot.ts";
import type { Rollout } from "../../shared/rollout.ts";

export interface CountingTrainerGiven {
  readonly failAt?: number | null;
  readonly padding?: number;
}

/**
 * A real trainer whose "network" is 4 numbers: each update folds every rollout's rewards into them, in order, so that the
 * weights at the end tell whether every update saw the same rollouts in the same order. Its policy is those numbers.
 */
export class CountingTrainer implements Trainer {
  readonly seen: string[] = []; // "update: envBatch:round@version ..."
  #weights = new Float64Array(4);
  #updates = 0;
  readonly #settings: TrainerSettings;
  /** The update that fails, as a NaN loss would. */
  readonly #failAt: number | null;
  /** Spaces after each policy: as many bytes as a large network's. */
  readonly #padding: number;

  constructor(settings: TrainerSettings, { failAt = null, padding = 0 }: CountingTrainerGiven = {}) {
    this.#settings = settings;
    this.#failAt = failAt;
    this.#padding = padding;
  }

  async initialise(state: TrainerState | null): Promise<PolicySnapshot> {
    if (state === null) this.#weights.fill(this.#settings.config.seed);
    else {
      this.#weights = new Float64Array(state.tensors.weights!.data.slice().buffer);
      this.#updates = state.updates;
    }
    return this.#snapshot();
  }

  async update(round: number, rollouts: readonly Rollout[]): Promise<UpdateResult> {
    if (round !== this.#updates) throw new Error(`update ${round} after ${this.#updates}`);
    if (round + 1 === this.#failAt)
      throw new OperatorError("NUMERIC", `The loss of update ${round + 1} is NaN.`, "Lower learningRate.");
    this.seen.push(rollouts.map(({ key }) => `${key.envBatch}:${key.round}@${key.policyVersion}`).join(" "));
    for (const { rewards } of rollouts)
      for (let i = 0; i < rewards.length; i++)
        this.#weights[i % 4] = this.#weights[i % 4]! * 0.99 + Math.fround(rewards[i]!);
    this.#updates++;
    const weightsSha256 = createHash("sha256").update(Buffer.from(this.#weights.buffer)).digest("hex");
    return {
      update: this.#updates,
      snapshot: this.#snapshot(),
      metrics: { policy_loss: -this.#updates },
      weightsSha256,
    };
  }

  async state(): Promise<TrainerState> {
    const data = new Uint8Array(this.#weights.buffer.slice(0));
    return { updates: this.#updates, tensors: { weights: { dtype: "F64", shape: [4], data } } };
  }

  async close(): Promise<void> {}

  #snapshot(): PolicySnapshot {
    const text = JSON.stringify({ version: this.#updates, weights: [...this.#weights] });
    const bytes = Buffer.from(text + " ".repeat(this.#padding));
    return { version: this.#updates, digest: createHash("sha256").update(bytes).digest("hex"), bytes };
  }
}
