import { readFileSync } from "node:fs";
import { crc32 } from "@node-rs/crc32";
import { describe, expect, it } from "vitest";
import { createNativeEnvBatch } from "../../native/envBatch.ts";

interface Case {
  readonly id: string;
  readonly options: Record<string, boolean | number>;
  readonly hold: number; // steps that an action is held for
  readonly actions: number;
  readonly first: string;
  readonly steps: string[]; // see recordAtari.py
}
const { cases } = JSON.parse(readFileSync(new URL("reference/atari.json", import.meta.url), "utf8")) as {
  cases: Case[];
};

const names: Record<string, string> = {
  episodic_life: "episodicLife",
  use_fire_reset: "useFireReset",
  max_episode_steps: "maxEpisodeSteps",
  frame_skip: "frameSkip",
  stack_num: "frameStack",
  full_action_space: "fullActionSpace",
};

function batchFor({ id, options }: Case) {
  const ours = Object.fromEntries(Object.entries(options).map(([name, value]) => [names[name]!, value]));
  // EnvPool's default of episodic_life is false
  return createNativeEnvBatch({ id, size: 1, options: { episodicLife: false, noopMax: 1, ...ours } });
}

function* actionStream(count: number): Generator<number, never> {
  let state = 12345;
  while (true) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield (state >>> 16) % count;
  }
}

const digest = (bytes: ArrayLike<number>): string =>
  crc32(bytes as Uint8Array)
    .toString(16)
    .padStart(8, "0");

describe("Atari equals EnvPool bit for bit", () => {
  it.each(cases.map((c) => [c.id, JSON.stringify(c.options), c] as const))("%s %s", (_, __, recorded) => {
    const batch = batchFor(recorded);
    expect(batch.spec.action).toEqual({ kind: "discrete", count: recorded.actions });
    batch.reset(BigUint64Array.of(7n));
    expect(digest(batch.observations)).toBe(recorded.first);
    const stream = actionStream(recorded.actions);
    let action = 0;
    let score = 0;
    let length = 0;
    for (const [t, step] of recorded.steps.entries()) {
      const [seen, reward = "0", ended, game, afterReset] = step.split(" ");
      if (t % recorded.hold === 0) action = stream.next().value;
      batch.step(Int32Array.of(action));
      score += Number(reward);
      length++;
      const done = batch.terminated[0] === 1 || batch.truncated[0] === 1;
      const ours = {
        seen: digest(done ? batch.finalObservations : batch.observations),
        reward: String(batch.rawRewards[0]),
        ended: batch.terminated[0] ? "terminated" : batch.truncated[0] ? "truncated" : undefined,
        afterReset: done ? digest(batch.observations) : undefined,
      };
      expect(ours, `step ${t}`).toEqual({ seen, reward, ended, afterReset });
      expect(batch.rewards[0]).toBe(Math.sign(Number(reward)));
      const gameEnded = game === "over" || ended === "truncated";
      expect(batch.episodeEnded[0], `step ${t}`).toBe(gameEnded ? 1 : 0);
      if (!gameEnded) continue;
      expect([batch.episodeReturns[0], batch.episodeLengths[0]]).toEqual([score, length]);
      score = 0;
      length = 0;
    }
    batch.close();
  });
});
