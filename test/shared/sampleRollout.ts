import type { EnvironmentSpec } from "../../shared/environment.ts";
import { resolveRunConfig } from "../../shared/presets.ts";
import { type Rollout, rolloutLengths } from "../../shared/rollout.ts";
import type { RunConfig } from "../../shared/runConfig.ts";

export const stackedSpec: EnvironmentSpec = {
  id: "Pong-v5",
  observation: { dtype: "uint8", shape: [4, 6, 5], frameStack: 4 },
  action: { kind: "discrete", count: 6 },
  maxEpisodeSteps: 27000,
  framesPerStep: 4,
};
export const continuousSpec: EnvironmentSpec = {
  id: "HalfCheetah-v4",
  observation: { dtype: "float64", shape: [17], frameStack: null },
  action: { kind: "continuous", low: [-1, -1, -1, -1, -1, -1], high: [1, 1, 1, 1, 1, 1] },
  maxEpisodeSteps: 1000,
  framesPerStep: 1,
};
export const stackedConfig = resolveRunConfig({
  env: "Pong-v5",
  envs: 6,
  envBatchSize: 3,
  rolloutSteps: 5,
  minibatches: 1,
  totalSteps: 300,
});
export const continuousConfig = resolveRunConfig({
  env: "HalfCheetah-v4",
  envs: 4,
  envBatchSize: 2,
  rolloutSteps: 4,
  minibatches: 1,
  totalSteps: 160,
});

/** A well-formed rollout of arbitrary numbers (a linear congruential `next` in [0, 1)); some cells end either way. */
export function sampleRollout(config: RunConfig, spec: EnvironmentSpec, seed = 1): Rollout {
  const lengths = rolloutLengths(config, spec);
  const { steps, batch, cells } = lengths;
  let state = seed >>> 0;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
  const floats = (length: number): Float32Array => Float32Array.from({ length }, () => next() * 4 - 2);
  const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => (next() < 0.8 ? 87 : next() * 256));
  const observed = (length: number) => (spec.observation.dtype === "uint8" ? bytes(length) : floats(length));
  const flags = (length: number, share: number) => Uint8Array.from({ length }, () => (next() < share ? 1 : 0));
  const { action } = spec;
  const terminated = flags(cells, 0.2);
  const truncated = flags(cells, 0.3).map((flag, i) => (terminated[i] ? 0 : flag));
  const stackRefilled = flags(lengths.stackRefilled, 0.1);
  const lifeLost = (i: number): boolean => terminated[i] === 1 && stackRefilled[i] === 0;
  const finalIndices = Int32Array.from([...truncated.keys()].filter((i) => truncated[i] === 1 || lifeLost(i)));
  return {
    key: {
      runId: "run-1",
      generation: 2,
      envBatch: 1,
      round: 3,
      policyVersion: 3,
      policyDigest: "ab".repeat(32),
    },
    actorId: "actor-1",
    steps,
    batch,
    observations: observed(lengths.observations),
    initialStack: bytes(lengths.initialStack),
    stackRefilled,
    actions:
      action.kind === "discrete"
        ? Int32Array.from({ length: cells }, () => Math.floor(next() * action.count))
        : floats(lengths.actions),
    logProbs: floats(cells),
    values: floats(cells),
    nextValues: floats(cells).map((value, i) => (terminated[i] ? 0 : value)),
    rewards: floats(cells),
    terminated,
    truncated,
    finalIndices,
    finalObservations: observed(finalIndices.length * lengths.observationElements),
    episodes: [
      { step: 0, environment: 1, return: -3.25, length: 17 },
      { step: 2, environment: 0, return: 8.5, length: 40 },
    ],
    endState: bytes(200),
    timing: { environmentSeconds: 0.25, inferenceSeconds: 0.125, totalSeconds: 0.5 },
  };
}
