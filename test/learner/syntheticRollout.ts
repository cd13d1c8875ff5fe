import type { EnvironmentSpec } from "../../shared/environment.ts";
import { resolveRunConfig } from "../../shared/presets.ts";
import type { Rollout, RolloutKey } from "../../shared/rollout.ts";
import { encodeRollout, sha256Hex } from "../../shared/rolloutCodec.ts";
import type { RunConfig } from "../../shared/runConfig.ts";

/** CartPole's outline: small enough that a round is a few kilobytes. */
export const cartPoleSpec: EnvironmentSpec = {
  id: "CartPole-v1",
  observation: { dtype: "float32", shape: [4], frameStack: null },
  action: { kind: "discrete", count: 2 },
  maxEpisodeSteps: 500,
  framesPerStep: 1,
};

/** `envBatches` EnvBatches of 2 environments, 4 steps per rollout, `rounds` updates. */
export function smallRun(envBatches: number, rounds: number, policyLag: 0 | 1 | "async", more: object = {}): RunConfig {
  return resolveRunConfig({
    env: "CartPole-v1",
    envs: envBatches * 2,
    envBatchSize: 2,
    rolloutSteps: 4,
    minibatches: 1,
    totalSteps: envBatches * 8 * rounds,
    policyLag,
    ...more,
  });
}

/** The state after EnvBatch `envBatch` has played `rounds` rollouts: says so. */
export const stateBytes = (envBatch: number, rounds: number): Uint8Array =>
  Buffer.from(`state of ${envBatch} after ${rounds}`);

/** A valid rollout whose numbers name its place: rewards are 100 * envBatch + round. One episode ends at step 1. */
export function syntheticRollout(key: RolloutKey, actorId: string): Rollout {
  const cells = 4 * 2;
  const truncated = new Uint8Array(cells);
  const terminated = new Uint8Array(cells);
  terminated[2] = 1;
  const nextValues = new Float32Array(cells).fill(0.5);
  nextValues[2] = 0;
  return {
    key,
    actorId,
    steps: 4,
    batch: 2,
    observations: new Float32Array(cells * 4).fill(0.25),
    initialStack: new Uint8Array(0),
    stackRefilled: new Uint8Array(0),
    actions: new Int32Array(cells),
    logProbs: new Float32Array(cells).fill(-0.7),
    values: new Float32Array(cells).fill(0.5),
    nextValues,
    rewards: new Float32Array(cells).fill(100 * key.envBatch + key.round),
    terminated,
    truncated,
    finalIndices: new Int32Array(0),
    finalObservations: new Float32Array(0),
    episodes: [{ step: 1, environment: 0, return: 100 * key.envBatch + key.round, length: 2 }],
    endState: Uint8Array.from(stateBytes(key.envBatch, key.round + 1)),
    timing: { environmentSeconds: 0.001, inferenceSeconds: 0.001, totalSeconds: 0.002 },
  };
}

export { encodeRollout, sha256Hex };
