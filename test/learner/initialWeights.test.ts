import { describe, expect, it } from "vitest";
import { initialWeights, orthogonal } from "../../learner/initialWeights.ts";
import { weightsSha256 } from "../../learner/weightsHash.ts";
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
