import { expect, it } from "vitest";
import { makeEnvBatch } from "../../actor/environments.ts";
import { Policy } from "../../actor/policy.ts";
import { RolloutCollector } from "../../actor/rollout.ts";
import { buildStacks } from "../../learner/frameStacks.ts";
import { resolveRunConfig } from "../../shared/presets.ts";
import { decodeRollout, encodeRollout } from "../../shared/rolloutCodec.ts";
import { environmentSeed } from "../../shared/seeds.ts";
import { tinyPolicy } from "../actor/tinyPolicy.ts";

const pixels = 84 * 84;

it("what the learner rebuilds from frames sent once is what the policy saw, lost lives and new games included", async () => {
  const [envs, rolloutSteps] = [2, 300];
  const run = { env: "Breakout-v5", envs, envBatchSize: envs, rolloutSteps, minibatches: 1, seed: 3 };
  const config = resolveRunConfig({ ...run, totalSteps: envs * rolloutSteps });
  const batch = await makeEnvBatch({ env: config.env, envOptions: config.envOptions, size: envs });
  const snapshot = tinyPolicy(batch.spec, 0, { scale: 0.01 });
  const policy = await Policy.load(snapshot.bytes, batch.spec, envs, "tiny");
  const key = { runId: "r", generation: 1, envBatch: 0, round: 0, policyVersion: 0, policyDigest: snapshot.digest };
  const order = { key, actorId: "a", state: null };
  const collected = await new RolloutCollector(config, batch).collect(order, policy);
  const rollout = decodeRollout(encodeRollout(collected, 1, config, batch.spec) as never, config, batch.spec);
  const lives = rollout.terminated.reduce((sum, flag) => sum + flag, 0);
  expect(rollout.episodes.length).toBeGreaterThan(0);
  expect(lives).toBeGreaterThan(rollout.episodes.length + 4);

  const stacks = new Uint8Array(rolloutSteps * envs * pixels * 4);
  const frames = rollout.observations as Uint8Array;
  const finalObservations = rollout.finalObservations as Uint8Array;
  buildStacks({ stack: 4, pixels }, { ...rollout, frames, finalObservations }, stacks, envs, 0);

  const again = await makeEnvBatch({ env: config.env, envOptions: config.envOptions, size: envs });
  again.reset(BigUint64Array.from({ length: envs }, (_, e) => environmentSeed(config.seed, e)));
  const seen = new Uint8Array(envs * pixels * 4); // channels last
  for (let t = 0; t < rolloutSteps; t++) {
    for (let i = 0; i < seen.length; i++) {
      const [e, s, p] = [Math.floor(i / (4 * pixels)), i % 4, Math.floor(i / 4) % pixels];
      seen[i] = again.observations[(e * 4 + s) * pixels + p]!;
    }
    expect(Buffer.compare(stacks.subarray(t * seen.length, (t + 1) * seen.length), seen), `step ${t}`).toBe(0);
    again.step(rollout.actions.slice(t * envs, (t + 1) * envs));
  }
});
