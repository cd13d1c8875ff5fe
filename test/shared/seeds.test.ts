import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PhiloxEpisodeRandom } from "../../shared/episodeRandom.ts";
import { environmentSeed, philox, shuffledIndices, stream } from "../../shared/seeds.ts";

const words = (seed: bigint, ...counter: [number, number, number, number]): string[] => {
  const out = new Uint32Array(4);
  philox(seed, ...counter, out);
  return Array.from(out, (word) => word.toString(16).padStart(8, "0"));
};

describe("Philox-4x32-10", () => {
  // kat_vectors of Random123, the authors' own implementation
  it("gives the authors' known answers", () => {
    expect(words(0n, 0, 0, 0, 0)).toEqual(["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]);
    const ones = 0xffffffff;
    expect(words(0xffffffffffffffffn, ones, ones, ones, ones)).toEqual([
      "408f276d",
      "41c83b0e",
      "a20bc7c6",
      "6d5451fd",
    ]);
    const pi = words(0x299f31d0a4093822n, 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344);
    expect(pi).toEqual(["d16cfe09", "94fdcceb", "5001e420", "24126ea1"]);
  });
});

describe("environment seeds", () => {
  it("differ between environments, runs and uses", () => {
    const seeds = new Set<bigint>();
    for (let run = 0; run < 20; run++)
      for (let index = 0; index < 50; index++)
        for (const use of [stream.environment, stream.evaluation]) seeds.add(environmentSeed(run, index, use));
    expect(seeds.size).toBe(20 * 50 * 2);
  });
});

describe("minibatch shuffles", () => {
  it("are permutations that depend on seed, update and epoch alone", () => {
    fc.assert(
      fc.property(
        fc.nat(1e6),
        fc.nat(1e5),
        fc.nat(100),
        fc.integer({ min: 1, max: 300 }),
        (seed, update, epoch, length) => {
          const once = shuffledIndices(seed, update, epoch, length);
          expect([...once].sort((a, b) => a - b)).toEqual(Array.from({ length }, (_, i) => i));
          expect(shuffledIndices(seed, update, epoch, length)).toEqual(once);
        },
      ),
      { seed: 7, numRuns: 50 },
    );
  });

  it("put every element everywhere equally often", () => {
    // 6000 shuffles of 4: each of the 16 (element, place) pairs 1500 times, standard deviation sqrt(6000·3/16) = 33.5
    const counts = new Array<number>(16).fill(0);
    for (let update = 0; update < 6000; update++)
      for (const [place, element] of shuffledIndices(3, update, 0, 4).entries()) counts[element * 4 + place]!++;
    for (const count of counts) expect(Math.abs(count - 1500)).toBeLessThan(5 * 33.5);
  });
});

describe("an episode's random numbers", () => {
  it("have the moments of their distributions", () => {
    const random = new PhiloxEpisodeRandom(12n, 3);
    const n = 20_000;
    const normals = Array.from({ length: n }, () => random.normal());
    const uniforms = Array.from({ length: n }, () => random.uniform());
    const mean = (xs: number[]): number => xs.reduce((a, b) => a + b, 0) / n;
    expect(Math.abs(mean(normals))).toBeLessThan(5 / Math.sqrt(n)); // five standard errors
    expect(Math.abs(mean(normals.map((x) => x * x)) - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
    expect(Math.abs(mean(uniforms) - 0.5)).toBeLessThan(5 / Math.sqrt(12 * n));
    expect(Math.min(...uniforms)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...uniforms)).toBeLessThan(1);
  });

  it("do not depend on other episodes", () => {
    const draws = (episode: number): number[] => {
      const random = new PhiloxEpisodeRandom(5n, episode);
      return [random.uniform(), random.normal()];
    };
    expect(draws(1)).toEqual(draws(1));
    expect(draws(1)).not.toEqual(draws(2));
  });
});
