import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { makeEnvBatch } from "../../actor/environments.ts";
import { Policy } from "../../actor/policy.ts";
import { RolloutCollector } from "../../actor/rollout.ts";
import type { EnvBatch } from "../../shared/environment.ts";
import { resolveRunConfig } from "../../shared/presets.ts";
import type { Rollout } from "../../shared/rollout.ts";
import { tinyPolicy } from "./tinyPolicy.ts";

/** Of everything that the learner trains on, and the state that the next round begins from. */
function digestOf(rollout: Omit<Rollout, "timing">): string {
  const hash = createHash("sha256");
  for (const value of Object.values(rollout))
    if (ArrayBuffer.isView(value)) hash.update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  return hash.digest("hex");
}

const size = 4; // two groups of two
const [T, G] = [6, 2];
const settings = { algo: "grpo", envs: 8, envBatchSize: size, groupSize: G, rolloutSteps: T, minibatches: 1, seed: 5 };
const drawing = "test/actor/fixtures/drawingEnvironment.ts";
const environments = [
  ["CartPole-v1", {}],
  [drawing, {}], // draws random numbers, float64
  [drawing, { stacked: true }],
  ["InvertedPendulum-v4", {}],
  ["Pong-v5", { repeatActionProbability: 0.25 }],
] as const;

describe.each(environments)("the groups of %s %j", (env, envOptions) => {
  const config = resolveRunConfig({ ...settings, env, envOptions: { ...envOptions } });
  const batchOf = (): Promise<EnvBatch> => makeEnvBatch({ env, envOptions: { ...envOptions }, size });

  async function collector() {
    const batch = await batchOf();
    const policy = await Policy.load(tinyPolicy(batch.spec, 0, { scale: 0.05 }).bytes, batch.spec, size, "policy");
    const collecting = new RolloutCollector(config, batch);
    return async (round: number, state: Uint8Array | null): Promise<Omit<Rollout, "timing">> => {
      const key = { runId: "run-1", generation: 1, envBatch: 1, round, policyVersion: 0, policyDigest: "0" };
      const { timing: _, ...rollout } = await collecting.collect({ key, actorId: "actor-1", state }, policy);
      return structuredClone(rollout);
    };
  }

  /** What the environments show at the rollout's first step, one each. */
  function firstOf(rollout: Omit<Rollout, "timing">): Buffer[] {
    const stacked = rollout.initialStack.length > 0;
    const all = stacked ? rollout.initialStack : rollout.observations.subarray(0, rollout.observations.length / T);
    const bytes = Buffer.from(all.buffer, all.byteOffset, all.byteLength);
    return Array.from({ length: size }, (_, e) =>
      bytes.subarray((e * bytes.length) / size, ((e + 1) * bytes.length) / size),
    );
  }

  it("begin in one state, each its own, and diverge by their members' own actions", async () => {
    const rollout = await (await collector())(0, null);
    const first = firstOf(rollout);
    expect([first[1]!.equals(first[0]!), first[3]!.equals(first[2]!)]).toEqual([true, true]);
    expect(rollout.values[1]).toBe(rollout.values[0]);
    const actionsOf = (e: number): number[] => {
      const each = rollout.actions.length / (T * size);
      return [...rollout.actions].filter((_, i) => Math.floor(i / each) % size === e);
    };
    expect(actionsOf(1)).not.toEqual(actionsOf(0));
    expect(actionsOf(3)).not.toEqual(actionsOf(2));
  });

  it("begin the next round where their first member ended this one", async () => {
    const collect = await collector();
    const before = await collect(0, null);
    const rollout = await collect(1, before.endState);
    const batch = await batchOf();
    batch.load(before.endState);
    const { observations } = batch;
    const own = observations instanceof Uint8Array ? observations : Float32Array.from(observations);
    const bytes = Buffer.from(own.buffer, own.byteOffset, own.byteLength);
    const each = bytes.length / size;
    const first = firstOf(rollout);
    for (let e = 0; e < size; e++) {
      const leader = e - (e % G);
      expect(first[e]!.equals(bytes.subarray(leader * each, (leader + 1) * each)), `environment ${e}`).toBe(true);
    }
  });

  it("are the same in any worker, whatever it did before", async () => {
    const [one, other] = [await collector(), await collector()];
    const before = await one(0, null);
    const again = await one(1, before.endState);
    expect(digestOf(await other(1, before.endState))).toBe(digestOf(again));
    expect(digestOf(await other(0, null))).toBe(digestOf(before));
    expect(digestOf(again)).not.toBe(digestOf(before));
  });
});

it("other algorithms' environments begin each in a state of its own", async () => {
  const { groupSize: _, ...rest } = settings;
  const config = resolveRunConfig({ ...rest, algo: "ppo", env: "CartPole-v1" });
  const batch = await makeEnvBatch({ env: config.env, envOptions: {}, size });
  const policy = await Policy.load(tinyPolicy(batch.spec, 0).bytes, batch.spec, size, "policy");
  const key = { runId: "run-1", generation: 1, envBatch: 0, round: 0, policyVersion: 0, policyDigest: "0" };
  const collecting = new RolloutCollector(config, batch);
  const { observations } = await collecting.collect({ key, actorId: "actor-1", state: null }, policy);
  expect(new Set(observations.subarray(0, 4 * size).filter((_value, i) => i % 4 === 0)).size).toBe(size);
});
