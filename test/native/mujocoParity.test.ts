import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { mujocoEnvironmentIds } from "../../native/mujocoEnvironments.ts";
import { mujocoBatch } from "./mujocoBatch.ts";

/** One episode of Gymnasium, recorded by recordMujoco.py. */
interface Episode {
  readonly start: { readonly qpos: number[]; readonly qvel: number[]; readonly observation: number[] };
  readonly actions: number[][];
  readonly observations: number[][];
  readonly rewards: number[];
  readonly terminated: boolean; // at the last step
}

interface Recording {
  readonly id: string;
  readonly cases: { readonly options: Record<string, number | boolean>; readonly episodes: Episode[] }[];
}

const folder = join(import.meta.dirname, "golden", "mujoco");
const recordings = readdirSync(folder).map(
  (file) => JSON.parse(gunzipSync(readFileSync(join(folder, file))).toString()) as Recording,
);
const tolerance = 1e-9; // NumPy's sin and cos differ by an ulp between CPU types; on one machine the difference is 0

function furthest(ours: ArrayLike<number>, theirs: readonly number[]): number {
  expect(ours.length).toBe(theirs.length);
  return Math.max(...theirs.map((value, i) => Math.abs(value - ours[i]!)));
}

function replay(id: string, options: Record<string, number | boolean>, episode: Episode): void {
  const startState = [...episode.start.qpos, ...episode.start.qvel];
  const batch = mujocoBatch(id, 1, { envOptions: options, startState });
  batch.reset(new BigUint64Array(1));
  expect(furthest(batch.observations, episode.start.observation)).toBeLessThanOrEqual(tolerance);
  for (const [t, action] of episode.actions.entries()) {
    batch.step(Float32Array.from(action));
    const ends = episode.terminated && t === episode.actions.length - 1;
    const seen = ends ? batch.finalObservations : batch.observations;
    const at = `${id} ${JSON.stringify(options)} step ${t}`;
    expect(batch.terminated[0], at).toBe(ends ? 1 : 0);
    expect(furthest(batch.rawRewards, [episode.rewards[t]!]), `reward, ${at}`).toBeLessThanOrEqual(tolerance);
    expect(furthest(seen, episode.observations[t]!), `observation, ${at}`).toBeLessThanOrEqual(tolerance);
    expect(batch.rewards[0]).toBe(Math.fround(batch.rawRewards[0]!));
  }
  batch.close();
}

describe("step by step from the same state, every environment equals Gymnasium 1.4 on MuJoCo 3.6.0", () => {
  it("has a recording of each", () => {
    expect(recordings.map(({ id }) => id).sort()).toEqual([...mujocoEnvironmentIds].sort());
  });

  for (const { id, cases } of recordings)
    for (const { options, episodes } of cases)
      it(`${id} ${Object.keys(options).length > 0 ? JSON.stringify(options) : "as it is"}`, () => {
        for (const episode of episodes) replay(id, options, episode);
      });

  it("covers terminations of every robot that can fall, and contact forces that are not 0", () => {
    const falls = recordings.filter(({ cases }) => cases.some((c) => c.episodes.some((e) => e.terminated)));
    const robots = ["Ant", "Hopper", "Humanoid", "InvertedDoublePendulum", "InvertedPendulum", "Walker2d"];
    expect(falls.map(({ id }) => id).sort()).toEqual(robots.flatMap((name) => [`${name}-v4`, `${name}-v5`]));
    const ant = recordings.find(({ id }) => id === "Ant-v5")!.cases[0]!.episodes[0]!;
    expect(ant.observations.some((observation) => observation.slice(27).some((force) => force !== 0))).toBe(true);
  });
});
