import { createRequire } from "node:module";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PhiloxEpisodeRandom } from "../../shared/episodeRandom.ts";
import { nativeParts } from "../../shared/nativeParts.ts";
import { philox } from "../../shared/seeds.ts";

interface Randoms {
  philox(key: bigint, c0: number, c1: number, c2: number, c3: number): Uint32Array;
  draws(seed: bigint, episode: number, kind: "uniform" | "normal", count: number): Float64Array;
}
const native = createRequire(import.meta.url)(nativeParts().addons.atari!) as Randoms;

describe("native/src/engine/random.h", () => {
  // philox4x32_10 in kat_vectors of Random123 1.14: counters, key words, results
  it.each([
    [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
    [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], "408f276d 41c83b0e a20bc7c6 6d5451fd"],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], "d16cfe09 94fdcceb 5001e420 24126ea1"],
  ])("gives Random123's known answer for counter %j and key %j", (counter, [low, high], answer) => {
    const key = (BigInt(high!) << 32n) | BigInt(low!);
    const [c0, c1, c2, c3] = counter as [number, number, number, number];
    const words = [...native.philox(key, c0, c1, c2, c3)].map((word) => word.toString(16).padStart(8, "0"));
    expect(words.join(" ")).toBe(answer);
  });

  it("is the twin of shared/seeds.ts: the same blocks for any key and counters", () => {
    const word = fc.integer({ min: 0, max: 0xffffffff });
    const ours = new Uint32Array(4);
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), word, word, word, word, (key, c0, c1, c2, c3) => {
        philox(key, c0, c1, c2, c3, ours);
        expect(native.philox(key, c0, c1, c2, c3)).toEqual(ours);
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it("draws the uniform numbers of shared/episodeRandom.ts exactly, the normal ones to the last digit", () => {
    const episodes = fc.tuple(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.integer({ min: 0, max: 2 ** 52 }));
    fc.assert(
      fc.property(episodes, ([seed, episode]) => {
        const uniform = new PhiloxEpisodeRandom(seed, episode);
        expect([...native.draws(seed, episode, "uniform", 5)]).toEqual(
          Array.from({ length: 5 }, () => uniform.uniform()),
        );
        const normal = new PhiloxEpisodeRandom(seed, episode);
        // Node and the C library each have their own logarithm and cosine
        for (const draw of native.draws(seed, episode, "normal", 5)) {
          const twin = normal.normal();
          expect(Math.abs(draw - twin)).toBeLessThanOrEqual(4 * Number.EPSILON * Math.max(1, Math.abs(twin)));
        }
      }),
      { seed: 2, numRuns: 200 },
    );
  });
});
