/** Tiny runs of three kinds of environment: seconds each, yet everything a run has happens in them. */
export const tinyMujoco = {
  env: "InvertedPendulum-v4",
  envs: 8,
  envBatchSize: 2,
  rolloutSteps: 16,
  minibatches: 2,
  epochs: 2,
  network: { kind: "mlp", hidden: [16] },
  totalSteps: 8 * 16 * 40,
} as const;

export const tinyCartPole = { ...tinyMujoco, env: "CartPole-v1", seed: 3 } as const;

/** CartPole whose steps take a millisecond: 60 rounds take 4 s with two actors, however fast the machine is. */
export const pacedCartPole = {
  ...tinyMujoco,
  env: "test/actor/fixtures/slowEnvironment.ts",
  envOptions: { ms: 1 },
  totalSteps: 8 * 16 * 60,
} as const;

export const tinyPong = {
  env: "Pong-v5",
  envs: 4,
  envBatchSize: 1,
  rolloutSteps: 8,
  minibatches: 2,
  epochs: 1,
  network: { kind: "nature", units: 32 },
  totalSteps: 4 * 8 * 12,
} as const;
