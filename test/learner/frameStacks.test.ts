import { describe, expect, it } from "vitest";
import { buildStacks } from "../../learner/frameStacks.ts";
import { numberSource } from "./updateCases.ts";

/** What each action answered, told literally: planes per environment, pushed and refilled, then channels last. */
function literalStacks(stack: number, pixels: number, rollout: ReturnType<typeof randomRollout>): Uint8Array {
  const { steps, batch } = rollout;
  const out = new Uint8Array(steps * batch * pixels * stack);
  for (let e = 0; e < batch; e++) {
    const plane = (s: number) => rollout.initialStack.subarray((e * stack + s) * pixels, (e * stack + s + 1) * pixels);
    let planes = Array.from({ length: stack }, (_, s) => plane(s));
    for (let t = 0; t < steps; t++) {
      if (t > 0) {
        const cell = (t - 1) * batch + e;
        const frame = rollout.frames.subarray(cell * pixels, (cell + 1) * pixels);
        const k = rollout.finalIndices.indexOf(cell);
        if (k >= 0) {
          // the episode's own last frame was seen between the two steps
          const end = (k + 1) * stack * pixels;
          planes = [...planes.slice(1), rollout.finalObservations.subarray(end - pixels, end)];
        }
        planes = rollout.stackRefilled[cell] ? planes.map(() => frame) : [...planes.slice(1), frame];
      }
      for (let p = 0; p < pixels; p++)
        for (let s = 0; s < stack; s++) out[((t * batch + e) * pixels + p) * stack + s] = planes[s]![p]!;
    }
  }
  return out;
}

function randomRollout(stack: number, pixels: number, steps: number, batch: number) {
  const { uniform } = numberSource(stack);
  const bytes = (length: number) => Uint8Array.from({ length }, () => Math.floor(256 * uniform()));
  const cells = Array.from({ length: steps * batch }, (_, cell) => cell);
  const finalIndices = Int32Array.from(cells.filter(() => uniform() < 0.3));
  return {
    finalIndices,
    finalObservations: bytes(finalIndices.length * stack * pixels),
    steps,
    batch,
    initialStack: bytes(batch * stack * pixels),
    frames: bytes((steps - 1) * batch * pixels),
    stackRefilled: Uint8Array.from({ length: (steps - 1) * batch }, () => (uniform() < 0.3 ? 1 : 0)),
  };
}

describe("buildStacks", () => {
  it.each([4, 3, 1])("rebuilds stacks of %i frames, refills and lost lives included", (stack) => {
    const rollout = randomRollout(stack, 6, 9, 2);
    expect(rollout.stackRefilled).toContain(1);
    const stacks = new Uint8Array(9 * 2 * 6 * stack);
    buildStacks({ stack, pixels: 6 }, rollout, stacks, 2, 0);
    expect(stacks).toEqual(literalStacks(stack, 6, rollout));
  });

  it("writes only its own columns", () => {
    const rollout = randomRollout(4, 5, 3, 1);
    const stacks = new Uint8Array(3 * 3 * 5 * 4).fill(7);
    buildStacks({ stack: 4, pixels: 5 }, rollout, stacks, 3, 1);
    const want = literalStacks(4, 5, rollout);
    for (let t = 0; t < 3; t++) {
      expect(stacks.subarray((t * 3 + 1) * 20, (t * 3 + 2) * 20)).toEqual(want.subarray(t * 20, (t + 1) * 20));
      for (const other of [0, 2])
        expect(new Set(stacks.subarray((t * 3 + other) * 20, (t * 3 + other + 1) * 20))).toEqual(new Set([7]));
    }
  });

  it("names the array whose length is wrong", () => {
    const rollout = { ...randomRollout(4, 5, 3, 1), frames: new Uint8Array(4) };
    expect(() => buildStacks({ stack: 4, pixels: 5 }, rollout, new Uint8Array(60), 1, 0)).toThrow(
      "frames has 4 elements, expected 10",
    );
  });
});
