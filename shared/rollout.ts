import type { EnvironmentSpec } from "./environment.ts";
import type { RunConfig } from "./runConfig.ts";

/** Which piece of work: one EnvBatch's T steps in one round, collected with one policy. */
export interface RolloutKey {
  readonly runId: string;
  readonly generation: number; // of the learner that leased it
  readonly envBatch: number; // index, environments envBatch*E .. envBatch*E+E-1
  readonly round: number;
  readonly policyVersion: number;
  readonly policyDigest: string; // sha256 hex of the snapshot's bytes
}

/** A raw episode (game, not life) that ended inside a rollout. */
export interface EpisodeEnd {
  readonly step: number; // t in the rollout
  readonly environment: number; // e in the EnvBatch
  readonly return: number; // sum of raw rewards
  readonly length: number; // agent steps
}

/** Seconds that a rollout took in the actor's worker thread, by the clock, for the metrics. */
export interface RolloutTiming {
  readonly environmentSeconds: number;
  readonly inferenceSeconds: number;
  readonly totalSeconds: number;
}

/**
 * T steps of one EnvBatch of E environments. Flat and time-major: element (t, e) is at t * E + e. Observations are raw
 * (not normalised); float64 ones travel as float32. Values are of the acting policy.
 */
export interface Rollout {
  readonly key: RolloutKey;
  readonly actorId: string;
  readonly steps: number; // T
  readonly batch: number; // E
  /** Unstacked: [T, E, ...shape] what each action answered. Stacked frames: [T-1, E, H, W] newest frame at steps 1..T-1. */
  readonly observations: Uint8Array | Float32Array;
  /** Stacked frames only: [E, S, H, W] the stack at step 0, oldest first; else empty. */
  readonly initialStack: Uint8Array;
  /** Stacked frames only: [T-1, E] 1: at steps 1..T-1 the whole stack is the newest frame (a new game); else empty. */
  readonly stackRefilled: Uint8Array;
  readonly actions: Int32Array | Float32Array; // [T, E] or [T, E, A], unclipped samples
  readonly logProbs: Float32Array; // [T, E] of the sample under the acting policy
  readonly values: Float32Array; // [T, E] V(s_t)
  readonly nextValues: Float32Array; // [T, E] V of the step's real next observation; 0 where terminated
  readonly rewards: Float32Array; // [T, E] as the environment shapes them, not normalised
  readonly terminated: Uint8Array; // [T, E]
  readonly truncated: Uint8Array; // [T, E]
  /**
   * [K] t * E + e, ascending, of each step whose final observation travels: the truncated ones (to bootstrap from) and,
   * with stacked frames, those terminated before step T-1 after which the stack goes on (a lost life): there two frames
   * are new, so the stack at t + 1 is the final observation's frames 1..S-1 and then the newest frame.
   */
  readonly finalIndices: Int32Array;
  readonly finalObservations: Uint8Array | Float32Array; // [K, ...shape] their final observations (whole stacks)
  readonly episodes: readonly EpisodeEnd[]; // in (step, environment) order
  readonly endState: Uint8Array; // EnvBatch.save() after the last step: where the next round starts
  readonly timing: RolloutTiming;
}

/** Lengths that a rollout of this run must have; encode, decode and validation share it. */
export function rolloutLengths(config: RunConfig, spec: EnvironmentSpec) {
  const steps = config.rolloutSteps;
  const batch = config.envBatchSize;
  const elements = spec.observation.shape.reduce((product, extent) => product * extent, 1);
  const stack = spec.observation.frameStack;
  const cells = steps * batch;
  return {
    steps,
    batch,
    cells, // T * E
    observationElements: elements,
    observations: stack === null ? cells * elements : (steps - 1) * batch * (elements / stack),
    initialStack: stack === null ? 0 : batch * elements,
    stackRefilled: stack === null ? 0 : (steps - 1) * batch,
    actions: spec.action.kind === "discrete" ? cells : cells * spec.action.low.length,
  };
}
