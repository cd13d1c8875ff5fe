import { afterAll, describe, expect, it } from "vitest";
import { RolloutPool } from "../../actor/rolloutPool.ts";
import type { CollectedRollout, RolloutJob } from "../../actor/rolloutWorker.ts";
import { learnerProto } from "../../proto/load.ts";
import { resolveRunConfig } from "../../shared/presets.ts";
import { decodeRollout, sha256Hex } from "../../shared/rolloutCodec.ts";
import { tinyPolicy } from "./tinyPolicy.ts";

const config = resolveRunConfig({
  env: "CartPole-v1",
  envs: 8,
  envBatchSize: 4,
  rolloutSteps: 16,
  minibatches: 1,
  totalSteps: 2560,
});
const pools: RolloutPool[] = [];
afterAll(() => Promise.all(pools.map((pool) => pool.close())));
async function poolOf(workers: number): Promise<RolloutPool> {
  const pool = await RolloutPool.start(config, workers);
  pools.push(pool);
  return pool;
}

function jobOf(pool: RolloutPool, envBatch: number, round: number, state: Uint8Array | null, version = 0): RolloutJob {
  const { digest, bytes } = tinyPolicy(pool.spec, version);
  const key = { runId: "run-1", generation: 1, envBatch, round, policyVersion: version, policyDigest: digest };
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  return { leaseId: 1, key, actorId: "actor-1", state, policy: shared };
}

/** What the learner reads, without the timing. */
function decoded({ message }: CollectedRollout): object {
  const { rollout } = learnerProto.Learner.service.Collect.requestDeserialize(Buffer.from(message));
  const { timing: _, ...rest } = decodeRollout(rollout!, config, pools[0]!.spec);
  return rest;
}

describe("RolloutPool", () => {
  it("gives the same bytes for the same lease, twice and in two workers at once", async () => {
    const pool = await poolOf(2);
    const first = await pool.collect(jobOf(pool, 1, 0, null));
    const later = await pool.collect(jobOf(pool, 1, 1, first.endState));
    await Promise.all([pool.collect(jobOf(pool, 0, 0, null)), pool.collect(jobOf(pool, 0, 0, null, 7))]);
    const again = await Promise.all([1, 2, 3, 4].map(() => pool.collect(jobOf(pool, 1, 1, first.endState))));
    for (const one of again) {
      expect(decoded(one)).toEqual(decoded(later));
      expect(one.endStateDigest).toBe(later.endStateDigest);
    }
    expect(later.endStateDigest).toBe(sha256Hex(later.endState));
  });

  it("keeps going after a bad state and a corrupt policy, and says what was wrong", async () => {
    const pool = await poolOf(1);
    const good = jobOf(pool, 0, 0, null);
    const before = decoded(await pool.collect(good));
    await expect(pool.collect({ ...good, state: new Uint8Array(64) })).rejects.toThrow(
      /^\[CORRUPT\] The state of an EnvBatch is not in the format/,
    );
    const key = { ...good.key, policyDigest: "ff".repeat(32), policyVersion: 3 };
    await expect(pool.collect({ ...good, key, policy: new Uint8Array(10) })).rejects.toThrow(
      /^\[CORRUPT\] Policy version 3 is not an ONNX model/,
    );
    expect(decoded(await pool.collect(good))).toEqual(before);
  });

  it("uses more policies than it keeps sessions for", async () => {
    const pool = await poolOf(1);
    const results = [];
    for (const version of [0, 1, 2, 3, 4, 0])
      results.push(decoded(await pool.collect(jobOf(pool, 0, 0, null, version))));
    expect(results[5]).toEqual(results[0]);
    expect(results[1]).not.toEqual(results[0]);
  });

  it("does not start with an environment that cannot be made", async () => {
    await expect(RolloutPool.start({ ...config, env: "./none.ts" }, 1)).rejects.toThrow(
      /^\[ENVIRONMENT\].*none.ts does not exist/,
    );
  });
});
