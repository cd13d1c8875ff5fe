import { describe, expect, it } from "vitest";
import { ActionSampler } from "../../actor/actionSampler.ts";
import { makeEnvBatch } from "../../actor/environments.ts";
import { Policy } from "../../actor/policy.ts";
import { RolloutCollector } from "../../actor/rollout.ts";
import type { EnvBatch } from "../../shared/environment.ts";
import { resolveRunConfig } from "../../shared/presets.ts";
import type { Rollout, RolloutKey } from "../../shared/rollout.ts";
import { decodeRollout, encodeRollout } from "../../shared/rolloutCodec.ts";
import type { RunConfig } from "../../shared/runConfig.ts";
import { environmentSeed } from "../../shared/seeds.ts";
import { tinyPolicy } from "./tinyPolicy.ts";

const drawing = "test/actor/fixtures/drawingEnvironment.ts";
const settings = {
  envs: 6,
  envBatchSize: 3,
  rolloutSteps: 9,
  minibatches: 1,
  totalSteps: 54 * 20,
  seed: 5,
  normalizeAdvantages: false,
};
const families: readonly [string, RunConfig][] = [
  ["discrete actions", resolveRunConfig({ ...settings, env: "CartPole-v1" })],
  ["continuous actions, truncated", resolveRunConfig({ ...settings, env: drawing })],
  ["stacked frames", resolveRunConfig({ ...settings, env: drawing, envOptions: { stacked: true } })],
  ["MuJoCo", resolveRunConfig({ ...settings, env: "HalfCheetah-v4" })],
  ["Atari", resolveRunConfig({ ...settings, env: "Pong-v5" })],
];

const batchOf = ({ env, envOptions, envBatchSize }: RunConfig): Promise<EnvBatch> =>
  makeEnvBatch({ env, envOptions, size: envBatchSize });
const keyOf = (envBatch: number, round: number, digest: string): RolloutKey => ({
  runId: "run-1",
  generation: 1,
  envBatch,
  round,
  policyVersion: 0,
  policyDigest: digest,
});

/** A rollout's content, copied: the collector reuses its arrays, and timings differ. */
function content({ timing: _, ...rest }: Rollout): Omit<Rollout, "timing"> {
  return structuredClone(rest);
}

/** Same type and bytes: vitest compares large arrays element by element, which takes seconds for frames. */
function expectSame(got: NodeJS.TypedArray, want: NodeJS.TypedArray): void {
  expect([got.constructor.name, got.length]).toEqual([want.constructor.name, want.length]);
  const bytes = (of: NodeJS.TypedArray): Buffer => Buffer.from(of.buffer, of.byteOffset, of.byteLength);
  if (Buffer.compare(bytes(got), bytes(want)) !== 0) expect(got).toEqual(want); // says where
}

function expectSameContent(got: Omit<Rollout, "timing">, want: Omit<Rollout, "timing">): void {
  for (const [field, value] of Object.entries(want)) {
    const other = got[field as keyof typeof got];
    if (ArrayBuffer.isView(value)) expectSame(other as NodeJS.TypedArray, value as NodeJS.TypedArray);
    else expect(other).toEqual(value);
  }
}

describe.each(families)("a rollout with %s", (_name, config) => {
  const { rolloutSteps: T, envBatchSize: E } = config;

  async function collector(): Promise<{
    batch: EnvBatch;
    policy: Policy;
    digest: string;
    collect: (envBatch: number, round: number, state: Uint8Array | null) => Promise<Rollout>;
  }> {
    const batch = await batchOf(config);
    const snapshot = tinyPolicy(batch.spec, 0);
    const policy = await Policy.load(snapshot.bytes, batch.spec, E, "policy");
    const collecting = new RolloutCollector(config, batch);
    const collect = (envBatch: number, round: number, state: Uint8Array | null) =>
      collecting.collect({ key: keyOf(envBatch, round, snapshot.digest), actorId: "actor-1", state }, policy);
    return { batch, policy, digest: snapshot.digest, collect };
  }

  it("holds what stepping the environments by hand gives", async () => {
    const { collect, policy } = await collector();
    const round0 = content(await collect(1, 0, null));
    const rollout = content(await collect(1, 1, round0.endState));
    const batch = await batchOf(config);
    const sampler = new ActionSampler({ action: batch.spec.action, size: E, seed: config.seed });
    batch.load(round0.endState);
    const perObservation = batch.observations.length / E;
    const stack = batch.spec.observation.frameStack;
    const stacks = rollout.initialStack.slice();
    let k = 0;
    for (let t = 0; t < T; t++) {
      if (stack === null) {
        expectSame(
          rollout.observations.subarray(t * E * perObservation, (t + 1) * E * perObservation),
          Float32Array.from(batch.observations),
        );
      } else {
        if (t > 0) restack(stacks, rollout, t, stack, E);
        expectSame(stacks, batch.observations);
      }
      policy.observe(batch.observations);
      await policy.run();
      sampler.environments.set([E, E + 1, E + 2]); // EnvBatch 1
      sampler.steps.fill(T + t); // round 1
      sampler.sample(policy);
      const cells = [t * E, (t + 1) * E] as const;
      expect(rollout.values.subarray(...cells)).toEqual(policy.values);
      expect(rollout.logProbs.subarray(...cells)).toEqual(sampler.logProbs);
      const perAction = sampler.actions.length;
      expect(rollout.actions.subarray(t * perAction, (t + 1) * perAction)).toEqual(sampler.actions);
      batch.step(sampler.actions);
      expect(rollout.rewards.subarray(...cells)).toEqual(batch.rewards);
      expect(rollout.terminated.subarray(...cells)).toEqual(batch.terminated);
      expect(rollout.truncated.subarray(...cells)).toEqual(batch.truncated);
      for (let e = 0; e < E; e++) {
        if (batch.truncated[e] === 0) continue;
        expect(rollout.finalIndices[k]).toBe(t * E + e);
        const final = batch.finalObservations.subarray(e * perObservation, (e + 1) * perObservation);
        expect([...rollout.finalObservations.subarray(k * perObservation, (k + 1) * perObservation)]).toEqual(
          [...final].map(Math.fround),
        );
        k++;
      }
    }
    expect(rollout.finalIndices.length).toBe(k);
    expectSame(rollout.endState, batch.save());
  });

  it("values the real next observation: 0 where terminal, the final one where truncated", async () => {
    const { collect, policy, batch } = await collector();
    let state: Uint8Array | null = null;
    const seen = { terminated: 0, truncated: 0, plain: 0 };
    for (let round = 0; round < 6; round++) {
      const rollout = content(await collect(0, round, state));
      policy.observe(batch.observations);
      await policy.run();
      const last = policy.values.slice();
      for (let i = 0; i < T * E; i++) {
        const next = i + E < T * E ? rollout.values[i + E] : last[i + E - T * E];
        if (rollout.terminated[i] === 1) {
          seen.terminated++;
          expect(rollout.nextValues[i]).toBe(0);
        } else if (rollout.truncated[i] === 0) {
          seen.plain++;
          expect(rollout.nextValues[i]).toBe(next);
        }
      }
      const length = rollout.finalObservations.length / Math.max(1, rollout.finalIndices.length);
      for (const [k, cell] of rollout.finalIndices.entries()) {
        seen.truncated++;
        for (let e = 0; e < E; e++)
          policy.observations.set(rollout.finalObservations.subarray(k * length, (k + 1) * length), e * length);
        await policy.run();
        expect(rollout.nextValues[cell]).toBeCloseTo(policy.values[0]!, 6);
      }
      state = rollout.endState;
    }
    expect(seen.plain).toBeGreaterThan(0);
    if (config.env === drawing) expect(seen.truncated).toBeGreaterThan(0);
    if (config.env === "CartPole-v1") expect(seen.terminated).toBeGreaterThan(0);
  });

  it("is the same whatever was collected before, in another collector, over the wire", async () => {
    const [one, other] = [await collector(), await collector()];
    const first = content(await one.collect(0, 0, null));
    await other.collect(1, 0, null);
    const second = content(await one.collect(0, 1, first.endState));
    expectSameContent(content(await other.collect(0, 1, first.endState)), second);
    expectSameContent(content(await other.collect(0, 0, null)), first);
    const { spec } = one.batch;
    const message = encodeRollout(await other.collect(0, 1, first.endState), 1, config, spec);
    expectSameContent(content(decodeRollout(message, config, spec)), second);
  });

  it("starts round 0 with the run's seeds of its own environments", async () => {
    const { collect, batch } = await collector();
    await collect(1, 0, null);
    const end = batch.save();
    const own = await batchOf(config);
    own.reset(BigUint64Array.from([3, 4, 5].map((index) => environmentSeed(5, index))));
    const rollout = await collect(1, 0, null);
    const first =
      rollout.initialStack.length > 0
        ? rollout.initialStack
        : rollout.observations.subarray(0, own.observations.length);
    expectSame(first, first instanceof Uint8Array ? own.observations : Float32Array.from(own.observations));
    expectSame(batch.save(), end);
  });

  it("refuses a later round without a state, and a state that is damaged", async () => {
    const { collect } = await collector();
    await expect(collect(0, 1, null)).rejects.toThrow(/MISMATCH.*Round 1 of EnvBatch 0 came without a state/);
    await expect(collect(0, 1, new Uint8Array(50))).rejects.toThrow(/CORRUPT/);
    await collect(0, 0, null);
  });
});

/** [E, S, H, W] stacks one step on, as the learner rebuilds them from single frames. */
function restack(stacks: Uint8Array, rollout: Omit<Rollout, "timing">, t: number, depth: number, size: number): void {
  const whole = stacks.length / size;
  const frame = whole / depth;
  for (let e = 0; e < size; e++) {
    const cell = (t - 1) * size + e;
    const newest = rollout.observations.subarray(cell * frame, (cell + 1) * frame);
    const stack = stacks.subarray(e * whole, (e + 1) * whole);
    stack.copyWithin(0, frame);
    for (let s = rollout.stackRefilled[cell] === 1 ? 0 : depth - 1; s < depth; s++) stack.set(newest, s * frame);
  }
}

describe("a policy or environment without numbers", () => {
  it("stops the rollout and says which of them it was", async () => {
    const config = families[0]![1];
    const batch = await batchOf(config);
    const diverged = await Policy.load(tinyPolicy(batch.spec, 0, { scale: Number.NaN }).bytes, batch.spec, 3, "policy");
    const collecting = new RolloutCollector(config, batch);
    const order = { key: keyOf(0, 0, ""), actorId: "actor-1", state: null };
    await expect(collecting.collect(order, diverged)).rejects.toThrow(/NUMERIC.*policy's logits/);
    batch.reset = () => void batch.observations.fill(Number.NaN, 4, 5); // an addon that lost its senses
    const sane = await Policy.load(tinyPolicy(batch.spec, 0).bytes, batch.spec, 3, "policy");
    await expect(collecting.collect(order, sane)).rejects.toThrow(
      /ENVIRONMENT.*observation NaN, element 0 in environment 1/,
    );
  });
});
