import { crc32 } from "@node-rs/crc32";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createNativeEnvBatch } from "../../native/envBatch.ts";
import { atariActions, atariJob, inAnotherProcess, type Options } from "./atariJobs.ts";

const headerBytes = 20; // magic, version, CRC-32 and length; the CRC is of what follows
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

// each kind of cartridge, lives, FIRE, paddles, PAL, and the games whose own state ALE saves in part only
const variants: [string, Options][] = [
  ["Pong-v5", {}],
  ["Breakout-v5", { repeatActionProbability: 0.25 }],
  ["Breakout-v5", { episodicLife: false, rewardSign: false, frameStack: 2, frameSkip: 3 }],
  ["Freeway-v5", { maxEpisodeSteps: 13 }],
  ["Tutankham-v5", { repeatActionProbability: 0.25 }],
  ["RoadRunner-v5", {}],
  ["Robotank-v5", {}],
  ["ElevatorAction-v5", {}],
  ["Pitfall2-v5", {}],
  ["Darkchambers-v5", {}],
  ["AirRaid-v5", {}],
  ["ChopperCommand-v5", {}],
  ["DemonAttack-v5", {}],
  ["Riverraid-v5", {}],
  ["MiniatureGolf-v5", {}],
  ["Skiing-v5", { noopMax: 1 }],
];

describe("a snapshot", () => {
  it(
    "continues in another process to the bit: observations, rewards, ends, random numbers, later episodes",
    async () => {
      const [steps, half, size] = [60, 25, 2];
      const jobs = variants.map(([id, options]) => atariJob(id, options, size, 0, steps));
      const part = (from: number, to: number) => jobs.map((job) => ({ ...job, actions: job.actions.slice(from, to) }));
      const seeds = BigUint64Array.of(5n, 6n);
      const begun = (batches: object[]) => batches.map((batch) => ({ ...batch, seeds }));
      const [whole, first] = await Promise.all([
        inAnotherProcess(steps, begun(part(0, steps))),
        inAnotherProcess(half, begun(part(0, half))),
      ]);
      const continued = part(half, steps).map((batch, i) => ({ ...batch, snapshot: first[i]!.snapshot }));
      const rest = await inAnotherProcess(steps - half, continued);
      for (const [i, { id, digests, snapshot }] of whole.entries()) {
        expect(rest[i]!.digests.slice(1), id).toEqual(digests.slice(half + 1));
        expect(same(rest[i]!.snapshot, snapshot), id).toBe(true);
      }
      expect(whole.reduce((sum, { ends }) => sum + ends, 0)).toBeGreaterThanOrEqual(8);
    },
    (process.env.ANCHORAGE_NATIVE_PATHS ? 15 : 1) * 240_000,
  ); // sanitized addons are slow

  it("is small enough to travel with every rollout", () => {
    const { batch } = playing("Breakout-v5", 4);
    expect(batch.save().length).toBeLessThan(4 * 16_000);
  });

  it("fills the observations when it is loaded", () => {
    const { batch, act } = playing("Breakout-v5", 2);
    const bytes = batch.save();
    const seen = batch.observations.slice() as Uint8Array;
    for (let t = 0; t < 5; t++) act(t);
    batch.load(bytes);
    expect(same(batch.observations as Uint8Array, seen)).toBe(true);
    expect(same(batch.save(), bytes)).toBe(true);
  });
});

function playing(id: string, size: number) {
  const batch = createNativeEnvBatch({ id, size, options: {} });
  batch.reset(BigUint64Array.from({ length: size }, (_, e) => BigInt(e)));
  const count = batch.spec.action.kind === "discrete" ? batch.spec.action.count : 0;
  const act = (t: number): void => batch.step(atariActions(t, size, count));
  for (let t = 0; t < 30; t++) act(t);
  return { batch, act };
}

describe("a wrong snapshot", () => {
  const { batch, act } = playing("Breakout-v5", 2);
  const good = batch.save();

  it("is refused with what is wrong, and the batch goes on as if nothing had been tried", () => {
    const refused = (bytes: Uint8Array, message: string): void => {
      expect(() => batch.load(bytes)).toThrow(message);
      expect(same(batch.save(), good)).toBe(true);
    };
    refused(
      new Uint8Array(0),
      "[CORRUPT] The environment snapshot cannot be used: it is not a snapshot of an EnvBatch.",
    );
    refused(good.subarray(0, good.length - 1), "it is not as long as it says");
    refused(new Uint8Array([...good, 0]), "it is not as long as it says");
    const flipped = good.slice();
    flipped[500]! ^= 4;
    refused(flipped, "[CORRUPT] The environment snapshot cannot be used: its checksum is wrong.");
    const later = good.slice();
    later[4] = 9;
    refused(later, "[MISMATCH] The environment snapshot has version 9, this build reads 1.");
    refused(playing("Pong-v5", 2).batch.save(), "[MISMATCH] The environment snapshot is of Pong-v5");
    refused(playing("Breakout-v5", 1).batch.save(), "holds 1 environments, this batch has 2.");
    expect(() => batch.load("text" as unknown as Uint8Array)).toThrow("[SHAPE] The snapshot is not a Uint8Array.");
  });

  it("of other options is refused", () => {
    const other = createNativeEnvBatch({ id: "Breakout-v5", size: 2, options: { frameSkip: 3 } });
    other.reset(BigUint64Array.of(1n, 2n));
    expect(() => other.load(good)).toThrow("Use the same environment and options in every process.");
  });

  // a checksum is no proof against malice: with it set right, damage must still be found or be harmless
  it.each(["Breakout-v5", "Tutankham-v5", "Pitfall2-v5", "AirRaid-v5"])(
    "%s: damaged anywhere is refused or harmless",
    (id) => {
      const game = playing(id, 1);
      const whole = game.batch.save();
      const change = fc.record({
        at: fc.double({ min: 0, max: 0.999, noNaN: true }),
        to: fc.integer({ min: 0, max: 255 }),
      });
      let refused = 0;
      fc.assert(
        fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), fc.boolean(), (changes, early) => {
          const bytes = whole.slice();
          const reach = early ? Math.min(1200, bytes.length) : bytes.length; // registers come before pictures
          for (const { at, to } of changes) bytes[headerBytes + Math.floor(at * (reach - headerBytes))] = to;
          new DataView(bytes.buffer).setUint32(8, crc32(bytes.subarray(headerBytes)), true);
          const before = game.batch.save();
          try {
            game.batch.load(bytes);
          } catch (error) {
            refused++;
            expect((error as { code: string }).code).toMatch(/^(CORRUPT|MISMATCH)$/);
            expect(same(game.batch.save(), before)).toBe(true);
          }
          game.act(1);
          game.act(2);
        }),
        { seed: 3, numRuns: 150 },
      );
      expect(refused).toBeGreaterThan(0);
    },
  );

  it("cut anywhere is refused", () => {
    act(0);
    for (let length = 0; length < good.length; length += 97)
      expect(() => batch.load(good.subarray(0, length))).toThrow("[CORRUPT]");
  });
});
