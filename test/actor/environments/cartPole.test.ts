import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import CartPole from "../../../actor/environments/cartPole.ts";
import { PhiloxEpisodeRandom } from "../../../shared/episodeRandom.ts";

interface Recorded {
  readonly gymnasium: string;
  readonly episodes: readonly {
    readonly start: readonly number[];
    readonly actions: readonly number[];
    readonly states: readonly (readonly number[])[];
    readonly terminated: boolean;
  }[];
}
const recorded = JSON.parse(readFileSync(new URL("cartPole.json", import.meta.url), "utf8")) as Recorded;

describe(`CartPole-v1 against Gymnasium ${recorded.gymnasium}`, () => {
  it("follows the recorded states from the same start within 1e-12, and ends at the same step", () => {
    let steps = 0;
    for (const { start, actions, states, terminated } of recorded.episodes) {
      const environment = new CartPole();
      const observation = new Float32Array(4);
      environment.load(new Uint8Array(Float64Array.from(start).buffer));
      actions.forEach((action, t) => {
        const outcome = environment.step(action, observation);
        const state = [...new Float64Array(environment.save().buffer)];
        state.forEach((value, i) => void expect(Math.abs(value - states[t]![i]!)).toBeLessThan(1e-12));
        expect([...observation]).toEqual(state.map(Math.fround));
        expect(outcome.reward).toBe(1);
        expect(outcome.terminated).toBe(terminated && t === actions.length - 1);
        steps++;
      });
    }
    expect(steps).toBeGreaterThan(200);
  });

  it("starts within 0.05 of rest, as a function of seed and episode alone", () => {
    const first = (seed: bigint, episode: number): number[] => {
      const observation = new Float32Array(4);
      new CartPole().reset(new PhiloxEpisodeRandom(seed, episode), observation);
      return [...observation];
    };
    expect(first(7n, 3)).toEqual(first(7n, 3));
    expect(first(7n, 3)).not.toEqual(first(7n, 4));
    expect(first(7n, 3)).not.toEqual(first(8n, 3));
    expect(first(7n, 3).every((value) => Math.abs(value) <= 0.05)).toBe(true);
  });

  it("refuses options, which it has none of", () => {
    expect(() => new CartPole({ gravity: 1 })).toThrow(/CONFIG.*envOptions.gravity/);
  });
});
