import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { makeEnvBatch } from "../../actor/environments.ts";
import type { EnvBatch } from "../../shared/environment.ts";

const drawing = "test/actor/fixtures/drawingEnvironment.ts";
const size = 3;

/** Actions [E] of step t, one for each of `of`: environments that share one get the same. */
function actionsAt(batch: EnvBatch, t: number, of: readonly number[]): Int32Array | Float32Array {
  const { action } = batch.spec;
  const wave = (e: number, a: number): number => Math.sin(7 * t + 3 * of[e]! + a);
  if (action.kind === "discrete")
    return Int32Array.from({ length: size }, (_, e) => Math.floor(((wave(e, 0) + 1) / 2.001) * action.count));
  const width = action.low.length;
  return Float32Array.from({ length: size * width }, (_, i) => wave(Math.floor(i / width), i % width));
}

/** What step t showed of environment e. */
function shown(batch: EnvBatch, e: number): string {
  const { observations, rewards, rawRewards, terminated, truncated, episodeEnded } = batch;
  const each = observations.length / size;
  const seen = observations.subarray(e * each, (e + 1) * each);
  const hash = createHash("sha256").update(new Uint8Array(seen.buffer, seen.byteOffset, seen.byteLength));
  return [
    hash.digest("hex"),
    ...[rewards, rawRewards, terminated, truncated, episodeEnded].map((array) => array[e]),
  ].join();
}

async function begun(env: string, envOptions: Record<string, number | boolean>): Promise<EnvBatch> {
  const batch = await makeEnvBatch({ env, envOptions, size });
  batch.reset(BigUint64Array.of(1n, 2n, 3n));
  for (let t = 0; t < 9; t++) batch.step(actionsAt(batch, t, [0, 1, 2]));
  return batch;
}

describe.each<[string, Record<string, number | boolean>, steps: number]>([
  ["CartPole-v1", {}, 80],
  [drawing, {}, 30],
  [drawing, { stacked: true }, 30],
  ["InvertedPendulum-v4", {}, 60],
  ["Humanoid-v4", {}, 40],
  ["Breakout-v5", { repeatActionProbability: 0.25, maxEpisodeSteps: 30 }, 60],
])("an EnvBatch of %s %j loaded with sources", (env, envOptions, steps) => {
  it("continues each environment as its source goes on, random numbers and later episodes included", async () => {
    const own = await begun(env, envOptions);
    const snapshot = own.save();
    const sources = Int32Array.of(2, 0, 2);
    const other = await begun(env, envOptions);
    other.load(snapshot, sources);
    let ends = 0;
    for (let t = 100; t < 100 + steps; t++) {
      own.step(actionsAt(own, t, [0, 1, 2]));
      other.step(actionsAt(other, t, [2, 0, 2]));
      const want = [2, 0].map((e) => shown(own, e));
      expect([shown(other, 0), shown(other, 1), shown(other, 2)]).toEqual([want[0], want[1], want[0]]);
      ends += own.terminated[2]! + own.truncated[2]!;
    }
    expect(ends).toBeGreaterThan(0);
    expect(Buffer.compare(other.save(), own.save())).not.toBe(0);
    other.load(snapshot);
    expect(Buffer.compare(other.save(), snapshot)).toBe(0); // without sources each continues its own
  });

  it("refuses sources that are not there, and stays as it was", async () => {
    const batch = await begun(env, envOptions);
    const before = batch.save();
    for (const [sources, message] of [
      [Int32Array.of(0, 3, 0), "sources[1] is 3. Sources are 0 to 2, the snapshot's environments."],
      [Int32Array.of(0, 0, -1), "sources[2] is -1."],
      [Int32Array.of(0, 0), /\[SHAPE\].*sources/],
    ] as const) {
      expect(() => batch.load(before, sources)).toThrow(message);
      expect(Buffer.compare(batch.save(), before)).toBe(0);
    }
  });
});
