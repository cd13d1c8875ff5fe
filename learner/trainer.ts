import type { EnvironmentSpec } from "../shared/environment.ts";
import type { PolicySnapshot } from "../shared/policySnapshot.ts";
import type { Rollout } from "../shared/rollout.ts";
import type { RunConfig } from "../shared/runConfig.ts";

export interface TrainerSettings {
  readonly runId: string;
  readonly config: RunConfig;
  readonly spec: EnvironmentSpec;
  readonly device: "auto" | "cpu" | "gpu";
  readonly threads: number; // TensorFlow intra-op threads
  readonly onednn: "auto" | "on" | "off";
}

/** A file that a run's first policy comes from: an exported policy (ONNX) or a checkpoint. */
export interface InitialFile {
  readonly name: string; // as the person gave it, for messages
  readonly bytes: Uint8Array;
}

/** A named array of the trainer's state: weights, Adam slots, statistics. */
export interface NamedTensor {
  readonly dtype: "F32" | "F64" | "I32" | "U8" | "I64"; // safetensors' names
  readonly shape: readonly number[];
  readonly data: Uint8Array; // little-endian
}
/** Everything the trainer needs to continue bit-identically after update `updates`; by name, for safetensors. */
export interface TrainerState {
  readonly updates: number; // done
  readonly tensors: Readonly<Record<string, NamedTensor>>;
}

export interface UpdateResult {
  readonly update: number; // counted from 1: this was round update-1
  readonly snapshot: PolicySnapshot; // version = update
  /** policy_loss, value_loss, entropy, approx_kl, clip_fraction, explained_variance, gradient_norm, learning_rate, ratio_min, ratio_max, ... */
  readonly metrics: Readonly<Record<string, number>>;
  readonly weightsSha256: string;
}

/**
 * The TensorFlow side of the learner, in a worker thread of its own: an update never blocks the streams. Calls are
 * answered in order. A failure (NaN loss, TensorFlow error) rejects with an OperatorError and leaves the trainer unusable.
 */
export interface Trainer {
  /** Fresh weights from the run's seed or from `initial`, or those of `state`; gives the snapshot of that version. */
  initialise(state: TrainerState | null, initial: InitialFile | null): Promise<PolicySnapshot>;
  /** One round: reward scaling, GAE, epochs x minibatches, statistics, export. `rollouts` in EnvBatch order. */
  update(round: number, rollouts: readonly Rollout[]): Promise<UpdateResult>;
  state(): Promise<TrainerState>;
  close(): Promise<void>;
}
