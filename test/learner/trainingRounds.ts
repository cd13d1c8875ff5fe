import { ActionSampler } from "../../actor/actionSampler.ts";
import { Policy } from "../../actor/policy.ts";
import type { TrainingRollout } from "../../learner/roundBatch.ts";
import type { RoundTrainer } from "../../learner/roundTrainer.ts";
import type { TrainerSettings, UpdateResult } from "../../learner/trainer.ts";
import type { EnvironmentSpec } from "../../shared/environment.ts";
import type { PolicySnapshot } from "../../shared/policySnapshot.ts";
import { resolveRunConfig } from "../../shared/presets.ts";
import type { Rollout } from "../../shared/rollout.ts";
import { actingVersion, type RunConfig } from "../../shared/runConfig.ts";
import { numberSource } from "./updateCases.ts";

/** Observations far from mean 0 and variance 1, as MuJoCo's are. */
export const armSpec: EnvironmentSpec = {
  id: "Arm-v0",
  observation: { dtype: "float64", shape: [5], frameStack: null },
  action: { kind: "continuous", low: [-1, -1], high: [1, 1] },
  maxEpisodeSteps: 100,
  framesPerStep: 1,
};

/** Stacks of four frames just large enough for the Nature CNN. */
export const framesSpec: EnvironmentSpec = {
  id: "Frames-v0",
  observation: { dtype: "uint8", shape: [4, 44, 44], frameStack: 4 },
  action: { kind: "discrete", count: 3 },
  maxEpisodeSteps: null,
  framesPerStep: 4,
};

const small = { envs: 8, envBatchSize: 4, rolloutSteps: 8, epochs: 2, minibatches: 2, totalSteps: 640 };

export function armRun(more: object = {}): TrainerSettings {
  const network = { kind: "mlp", hidden: [16, 16] };
  return trainerSettings(
    armSpec,
    resolveRunConfig({ env: "arm.ts", ...small, normalizeRewards: true, network, ...more }),
  );
}

export function framesRun(more: object = {}): TrainerSettings {
  const fixed = { normalizeObservations: false, network: { kind: "nature", units: 32 } };
  return trainerSettings(framesSpec, resolveRunConfig({ env: "frames.ts", ...small, ...fixed, ...more }));
}

function trainerSettings(spec: EnvironmentSpec, config: RunConfig): TrainerSettings {
  return { runId: "test-run", config, spec, device: "cpu", threads: 1, onednn: "off" };
}

/**
 * A round of random experience in which the policy really acts, through onnxruntime as on an actor: the same for the same
 * policy and round. Episodes end now and then, in both ways.
 */
export async function play(
  { config, spec }: TrainerSettings,
  round: number,
  policies: readonly PolicySnapshot[],
): Promise<Rollout[]> {
  const version = config.policyLag === "async" ? policies.length - 1 : actingVersion(round, config.policyLag);
  const snapshot = policies[version]!;
  const policy = await Policy.load(snapshot.bytes, spec, config.envBatchSize, `policy ${version}`);
  try {
    const rollouts: Rollout[] = [];
    for (let b = 0; b < config.envs / config.envBatchSize; b++)
      rollouts.push(await playEnvBatch({ config, spec, policy, snapshot, round, envBatch: b }));
    return rollouts;
  } finally {
    await policy.close();
  }
}

interface Play {
  readonly config: RunConfig;
  readonly spec: EnvironmentSpec;
  readonly policy: Policy;
  readonly snapshot: PolicySnapshot;
  readonly round: number;
  readonly envBatch: number;
}

async function playEnvBatch({ config, spec, policy, snapshot, round, envBatch }: Play): Promise<Rollout> {
  const { rolloutSteps: steps, envBatchSize: batch } = config;
  const { uniform, normal } = numberSource(1000 * round + envBatch);
  const sampler = new ActionSampler({ action: spec.action, size: batch, seed: config.seed });
  for (let e = 0; e < batch; e++) sampler.environments[e] = envBatch * batch + e;
  const frames = spec.observation.frameStack !== null;
  const raw = policy.observations; // [E, S, P] stacks or [E, D], as the actor sees them
  const pixels = raw.length / batch / 4;
  const { observations, initialStack, stackRefilled, ...arrays } = emptyArrays(config, spec);
  let done = new Uint8Array(batch);
  for (let t = 0; t < steps; t++) {
    if (!frames)
      observations.set(
        (raw as Float32Array).map((_, i) => 100 + 10 * (i % 5) + 3 * normal()),
        t * raw.length,
      );
    if (!frames) raw.set(observations.subarray(t * raw.length, (t + 1) * raw.length));
    else if (t === 0) initialStack.set((raw as Uint8Array).map(() => Math.floor(256 * uniform())));
    if (frames && t === 0) raw.set(initialStack);
    if (frames && t > 0)
      for (let e = 0; e < batch; e++) {
        const frame = Uint8Array.from({ length: pixels }, () => Math.floor(256 * uniform()));
        const stack = raw.subarray(e * 4 * pixels, (e + 1) * 4 * pixels);
        stack.copyWithin(0, pixels);
        for (let s = done[e] ? 0 : 3; s < 4; s++) stack.set(frame, s * pixels);
        observations.set(frame, ((t - 1) * batch + e) * pixels);
        stackRefilled[(t - 1) * batch + e] = done[e]!;
      }
    await policy.run();
    sampler.steps.fill(round * steps + t);
    sampler.sample(policy);
    arrays.actions.set(sampler.actions, t * sampler.actions.length);
    arrays.logProbs.set(sampler.logProbs, t * batch);
    arrays.values.set(policy.values, t * batch);
    done = new Uint8Array(batch);
    for (let e = 0; e < batch; e++) {
      const i = t * batch + e;
      arrays.rewards[i] = 5 * normal();
      const fate = uniform();
      arrays.terminated[i] = fate < 0.1 ? 1 : 0;
      arrays.truncated[i] = fate > 0.9 ? 1 : 0;
      arrays.nextValues[i] = fate < 0.1 ? 0 : normal();
      done[e] = arrays.terminated[i]! | arrays.truncated[i]!;
    }
  }
  const key = {
    runId: "test-run",
    generation: 1,
    envBatch,
    round,
    policyVersion: snapshot.version,
    policyDigest: snapshot.digest,
  };
  return {
    key,
    steps,
    batch,
    observations,
    initialStack,
    stackRefilled,
    ...arrays,
    actorId: "actor",
    finalIndices: new Int32Array(0),
    finalObservations: new Float32Array(0),
    episodes: [],
    endState: new Uint8Array(0),
    timing: { environmentSeconds: 0, inferenceSeconds: 0, totalSeconds: 0 },
  };
}

function emptyArrays({ rolloutSteps: steps, envBatchSize: batch }: RunConfig, spec: EnvironmentSpec) {
  const cells = steps * batch;
  const elements = spec.observation.shape.reduce((product, extent) => product * extent, 1);
  const frames = spec.observation.frameStack !== null;
  return {
    observations: frames ? new Uint8Array(((steps - 1) * batch * elements) / 4) : new Float32Array(cells * elements),
    initialStack: new Uint8Array(frames ? batch * elements : 0),
    stackRefilled: new Uint8Array(frames ? (steps - 1) * batch : 0),
    actions: spec.action.kind === "discrete" ? new Int32Array(cells) : new Float32Array(cells * spec.action.low.length),
    logProbs: new Float32Array(cells),
    values: new Float32Array(cells),
    nextValues: new Float32Array(cells),
    rewards: new Float32Array(cells),
    terminated: new Uint8Array(cells),
    truncated: new Uint8Array(cells),
  } satisfies Partial<TrainingRollout>;
}

/** Plays and trains `rounds` further rounds; `policies` grows by each version. */
export async function train(
  settings: TrainerSettings,
  trainer: RoundTrainer,
  policies: PolicySnapshot[],
  rounds: number,
): Promise<UpdateResult[]> {
  const results: UpdateResult[] = [];
  for (let i = 0; i < rounds; i++) {
    const round = policies.length - 1;
    const result = trainer.update(round, await play(settings, round, policies));
    policies.push(result.snapshot);
    results.push(result);
  }
  return results;
}
