import { describe, expect, it } from "vitest";
import { initialWeights, orthogonal } from "../../learner/initialWeights.ts";
import { networkSpec } from "../../learner/networkSpec.ts";
import { weightsSha256 } from "../../learner/weightsHash.ts";
import type { EnvironmentSpec } from "../../shared/environment.ts";
import { resolveRunConfig } from "../../shared/presets.ts";
import { categoricalNetwork, frameNetwork, gaussianNetwork, numberSource } from "./updateCases.ts";

const gaussian = (length: number, seed = 1) => Float64Array.from({ length }, numberSource(seed).normal);

/** Largest |<u, v> − δ_uv gain²| over the rows or columns. */
function gramError(matrix: Float32Array, rows: number, columns: number, gain: number): number {
  const byColumn = rows >= columns;
  const [count, length] = byColumn ? [columns, rows] : [rows, columns];
  const at = (v: number, i: number) => matrix[byColumn ? i * columns + v : v * columns + i]!;
  let worst = 0;
  for (let u = 0; u < count; u++)
    for (let v = 0; v <= u; v++) {
      let dot = 0;
      for (let i = 0; i < length; i++) dot += at(u, i) * at(v, i);
      worst = Math.max(worst, Math.abs(dot - (u === v ? gain * gain : 0)));
    }
  return worst;
}

describe("orthogonal", () => {
  it.each([
    [17, 64],
    [64, 64],
    [64, 6],
    [1, 5],
    [5, 1],
  ])("makes the shorter side of %i x %i orthogonal with the gain's length", (rows, columns) => {
    const matrix = orthogonal(rows, columns, Math.SQRT2, gaussian(rows * columns));
    expect(gramError(matrix, rows, columns, Math.SQRT2)).toBeLessThan(1e-6);
  });

  it("is orthogonal also where the random vectors are nearly dependent", () => {
    const almostTheSame = gaussian(64);
    for (let i = 8; i < 64; i++) almostTheSame[i] = almostTheSame[i % 8]! + 1e-9 * almostTheSame[i]!;
    expect(gramError(orthogonal(8, 8, 1, almostTheSame), 8, 8, 1)).toBeLessThan(1e-6);
  });

  it("keeps the first vector's direction: R's diagonal is positive", () => {
    const matrix = orthogonal(2, 1, 1, Float64Array.of(3, -4));
    expect([...matrix]).toEqual([3 / 5, -4 / 5].map(Math.fround));
  });
});

describe("initialWeights", () => {
  const network = gaussianNetwork(5, [8, 8], 2);

  it("has one array per parameter: biases 0, log-std as set, heads with their gain", () => {
    const frames = {
      ...frameNetwork("small", 4),
      actor: [{ kind: "dense", units: 4, activation: "none", gain: 0.01 } as const],
    };
    const weights = initialWeights(frames, 1);
    expect([...new Set(weights["trunk.0.bias"])]).toEqual([0]);
    expect(gramError(weights["trunk.0.weight"]!, 4 * 4 * 2, 8, 1)).toBeLessThan(1e-6);
    expect(gramError(weights["actor.0.weight"]!, 16, 4, 0.01)).toBeLessThan(1e-6);
    const distribution = { kind: "gaussian", actions: 2, logStd: -0.5 } as const;
    expect([...initialWeights({ ...network, distribution }, 1)["actor.log_std"]!]).toEqual([-0.5, -0.5]);
  });

  it("is a function of the seed, different for each parameter", () => {
    const [one, again, other] = [1, 1, 2].map((seed) => initialWeights(network, seed));
    expect(again).toEqual(one);
    expect(other!["actor.0.weight"]).not.toEqual(one!["actor.0.weight"]);
    expect(one!["critic.0.weight"]).not.toEqual(one!["actor.0.weight"]);
  });
});

describe("the initialisation that a run asks for", () => {
  const action = { discrete: (count: number) => ({ kind: "discrete", count }) as const };
  const six = { kind: "continuous", low: Array(6).fill(-1), high: Array(6).fill(1) } as const;
  const specOf = (id: string, shape: number[], of: EnvironmentSpec["action"]): EnvironmentSpec => {
    const frames = shape.length === 3;
    const observation = { dtype: frames ? "uint8" : "float32", shape, frameStack: frames ? 4 : null } as const;
    return { id, observation, action: of, maxEpisodeSteps: null, framesPerStep: 1 };
  };
  const cheetah = specOf("HalfCheetah-v4", [17], six);
  const pong = specOf("Pong-v5", [4, 84, 84], action.discrete(6));
  const networkOf = (spec: EnvironmentSpec, more: object = {}) =>
    networkSpec(resolveRunConfig({ env: spec.id, ...more }), spec);

  // Recorded from the build before the initialisation was a setting (c342c86).
  it.each([
    ["mujoco", cheetah, "177eec82a26fb28ccd88d4803b65b1eafe15c7ac83144b537d6c04e54e33f4cd"],
    ["atari", pong, "d7889c63abfb6c7f30f39e91a6a5fa7173098e71371e05d458b1fc80fb5de0fe"],
    [
      "classic",
      specOf("CartPole-v1", [4], action.discrete(2)),
      "698ec6d200d990febde424b33c1f005d528dd573392857b7c766b2c109e06b6e",
    ],
  ])("is the paper's by the preset %s, bit for bit", (_, spec, hash) => {
    const network = networkOf(spec);
    expect(weightsSha256(network, initialWeights(network, 1))).toBe(hash);
  });

  it("has its gains by layer", () => {
    const gains = { hiddenGain: 2, actorGain: 0.5, criticGain: 3 };
    const weights = initialWeights(networkOf(cheetah, gains), 1);
    expect(gramError(weights["actor.1.weight"]!, 256, 256, 2)).toBeLessThan(1e-5);
    expect(gramError(weights["actor.2.weight"]!, 256, 6, 0.5)).toBeLessThan(1e-6);
    expect(gramError(weights["critic.2.weight"]!, 256, 1, 3)).toBeLessThan(1e-5);
  });

  it("is PyTorch's default without orthogonalInit: weights and biases uniform within 1/sqrt(inputs)", () => {
    const small = specOf("Frames-v5", [4, 44, 44], action.discrete(6));
    const separate = { kind: "nature", units: 128, shared: false };
    const network = networkOf(small, { orthogonalInit: false, network: separate });
    const [one, again, other] = [1, 1, 2].map((seed) => initialWeights(network, seed));
    expect(weightsSha256(network, again!)).toBe(weightsSha256(network, one!));
    // conv 8 x 8 of 4 frames: 256 inputs, bound 1/16; dense after 64 maps of 2 x 2: 256 again; heads: 128
    for (const [name, bound] of [
      ["actor.0.weight", 1 / 16],
      ["critic.3.weight", 1 / 16],
      ["critic.3.bias", 1 / 16],
      ["actor.4.weight", 1 / Math.sqrt(128)],
    ] as const) {
      const values = one![name]!;
      const largest = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      expect(largest, name).toBeLessThanOrEqual(bound);
      expect(largest, name).toBeGreaterThan(0.97 * bound);
      const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
      const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
      expect(Math.abs(mean), name).toBeLessThan((4 * bound) / Math.sqrt(3 * values.length)); // 4 standard errors
      expect(variance / (bound * bound)).toBeGreaterThan(0.27); // uniform: 1/3
      expect(variance / (bound * bound)).toBeLessThan(0.4);
    }
    expect(one!["actor.0.weight"]![0]).not.toBe(one!["critic.0.weight"]![0]);
    expect(one!["actor.0.weight"]![0]).not.toBe(other!["actor.0.weight"]![0]);
  });
});

describe("weightsSha256", () => {
  const network = categoricalNetwork(2, [3], 2);

  it("hashes the parameters' bytes in the documented order, not in that of the object", () => {
    const weights = initialWeights(network, 1);
    const reversed = Object.fromEntries(Object.entries(weights).reverse());
    expect(weightsSha256(network, reversed)).toBe(weightsSha256(network, weights));
    const swapped = { ...weights, "actor.0.bias": Float32Array.of(0, 1) };
    expect(weightsSha256(network, swapped)).not.toBe(weightsSha256(network, weights));
  });

  it("has a known answer", () => {
    // one weight, one bias and a critic of the same: float32 bytes of 1, 2, 3, 4 in that order
    const tiny = { ...categoricalNetwork(1, [], 1) };
    const weights = {
      "critic.0.bias": Float32Array.of(4),
      "actor.0.weight": Float32Array.of(1),
      "actor.0.bias": Float32Array.of(2),
      "critic.0.weight": Float32Array.of(3),
    };
    expect(weightsSha256(tiny, weights)).toBe("ad73b9acd6e4a74b2f5bb5386658ce3bb146cd040a1867646ab3b973fb6632b1");
  });

  it("names a parameter that is missing", () => {
    expect(() => weightsSha256(network, {})).toThrow("trunk.0.weight has 0 elements, expected 6");
  });
});
