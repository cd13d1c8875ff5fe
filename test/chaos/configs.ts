/** Tiny runs of three kinds of environment: seconds each, yet everything happens in them. 10 EnvBatches: work for five actors. */
export const tinyMujoco = {
  env: "InvertedPendulum-v4",
  envs: 20,
  envBatchSize: 2,
  rolloutSteps: 16,
  minibatches: 2,
  epochs: 2,
  network: { kind: "mlp", hidden: [16] },
  totalSteps: 20 * 16 * 40,
} as const;

export const tinyCartPole = { ...tinyMujoco, env: "CartPole-v1", seed: 3 } as const;

/**
 * CartPole of `updates` updates and 4 EnvBatches, whose pace the fleet option `stepMs` sets: at 1 ms a round takes two
 * actors 64 ms, however fast the machine is. Without it the run is as fast as it goes, and its numbers are the same.
 */
export const pacedCartPole = (updates: number) =>
  ({
    ...tinyCartPole,
    env: "test/actor/fixtures/slowEnvironment.ts",
    envs: 8,
    totalSteps: 8 * 16 * updates,
  }) as const;

export const tinyPong = {
  env: "Pong-v5",
  envs: 10,
  envBatchSize: 1,
  rolloutSteps: 8,
  minibatches: 2,
  epochs: 1,
  network: { kind: "nature", units: 32 },
  envOptions: { maxEpisodeSteps: 61 }, // so that in so short a run episodes end, some of them after a point
  totalSteps: 10 * 8 * 12,
} as const;
