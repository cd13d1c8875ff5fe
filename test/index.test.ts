import { createRequire } from "node:module";
import { expect, it } from "vitest";
import { anoObjective, generalizedAdvantages } from "../index.ts";

it("offers the numeric parts as plain functions", () => {
  const { value, derivative } = anoObjective(1, 2, 0.3, 0.3);
  expect([value, derivative]).toEqual([expect.closeTo(2, 12), expect.closeTo(2, 12)]);
  const none = Uint8Array.of(0);
  const one = {
    steps: 1,
    batch: 1,
    rewards: Float32Array.of(2),
    values: Float32Array.of(1),
    terminated: none,
    truncated: none,
  };
  // 2 + 0.5 * 4 - 1 = 3
  expect(generalizedAdvantages({ ...one, nextValues: Float32Array.of(4) }, 0.5, 0.9).advantages[0]).toBe(3);
});

it("loads neither TensorFlow nor an addon", () => {
  const loaded = Object.keys(createRequire(import.meta.url).cache);
  expect(loaded.filter((file) => /tfjs|onnxruntime|\.node$/.test(file))).toEqual([]);
});
