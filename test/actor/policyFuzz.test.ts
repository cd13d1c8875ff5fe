import fc from "fast-check";
import { expect, it } from "vitest";
import { Policy } from "../../actor/policy.ts";
import { continuousSpec, stackedSpec } from "../shared/sampleRollout.ts";
import { tinyPolicy } from "./tinyPolicy.ts";

/** As in test/shared/fuzz.test.ts: `npm run test:long` gives more cases and a new seed. */
const many = Number(process.env.ANCHORAGE_FUZZ_CASES ?? "0");
const numRuns = many > 0 ? many : 300;
const seed = many > 0 ? Number(process.env.ANCHORAGE_FUZZ_SEED ?? Date.now() % 2 ** 31) : 20261121;

const some = (most: number) => fc.uint8Array({ minLength: 1, maxLength: most });
const damages = (good: Buffer): fc.Arbitrary<Buffer> => {
  const place = fc.nat(good.length - 1);
  return fc.oneof(
    fc.tuple(place, some(8)).map(([at, bytes]) => Buffer.concat([good.subarray(0, at), bytes])), // and nothing after
    fc
      .tuple(place, some(8))
      .map(([at, bytes]) => Buffer.concat([good.subarray(0, at), bytes, good.subarray(at + bytes.length)])),
    fc.tuple(place, some(64)).map(([at, bytes]) => Buffer.concat([good.subarray(0, at), bytes, good.subarray(at)])),
    fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
  );
};

it.each([
  ["floats", continuousSpec],
  ["frames", stackedSpec],
] as const)(
  "a policy over %s with bytes changed, cut off, added or made up is refused in words, or runs; the process lives on",
  async (_what, spec) => {
    const good = Buffer.from(tinyPolicy(spec, 1).bytes);
    let refused = 0;
    const property = fc.asyncProperty(damages(good), async (bad) => {
      const outcome = await Policy.load(bad, spec, 2, "policy 7").then(
        (policy) => policy.close(),
        (error: Error) => error.message,
      );
      if (outcome === undefined) return; // such as another weight
      refused++;
      expect(outcome).toMatch(/^\[(CORRUPT|MISMATCH)\] policy 7/);
    });
    await fc.assert(property, { numRuns, seed, endOnFailure: false });
    expect(refused).toBeGreaterThan(numRuns / 2);
    const policy = await Policy.load(good, spec, 2, "policy 1");
    await policy.run();
    await policy.close();
  },
);
