import { crc32 } from "@node-rs/crc32";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createNativeEnvBatch } from "../../native/envBatch.ts";
import type { EnvBatch } from "../../shared/environment.ts";
import { atariActions } from "./atariJobs.ts";

/** How much is tried; test/long/sanitizers.test.ts asks for more, under AddressSanitizer and UBSan. */
const effort = Number(process.env.ANCHORAGE_FUZZ_EFFORT ?? 1);
const headerBytes = 20; // magic, version, CRC-32 and length; the CRC is of what follows
const interesting = [0, 1, 0x7f, 0x80, 0xff];

// a game of each kind of cartridge, paddles, PAL; robots with and without contact forces
const environments: readonly string[] = [
  ...["Breakout-v5", "Tutankham-v5", "RoadRunner-v5", "Robotank-v5", "ElevatorAction-v5", "Pitfall2-v5"],
  ...["Darkchambers-v5", "AirRaid-v5", "MiniatureGolf-v5"],
  ...["Ant-v5", "Humanoid-v4", "Pusher-v5", "Swimmer-v4"],
];

function begun(id: string): { readonly batch: EnvBatch; readonly step: (t: number) => void } {
  const batch = createNativeEnvBatch({ id, size: 1, options: {} });
  batch.reset(BigUint64Array.of(3n));
  const { action } = batch.spec;
  const step = (t: number): void =>
    batch.step(
      action.kind === "discrete"
        ? atariActions(t, 1, action.count)
        : Float32Array.from(action.high, (high) => high / 2),
    );
  for (let t = 0; t < 12; t++) step(t);
  return { batch, step };
}

/** The bytes with a right checksum and length: what an actor that means harm would send. */
function signed(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(8, crc32(bytes.subarray(headerBytes)), true);
  view.setBigUint64(12, BigInt(bytes.length - headerBytes), true);
  return bytes;
}

describe.each(environments)("%s: a hostile snapshot is refused without a trace or is a state like any other", (id) => {
  const { batch, step } = begun(id);
  const good = batch.save();
  const donor = begun(id);
  for (let t = 0; t < 40; t++) donor.step(t + 7);
  const other = donor.batch.save();
  donor.batch.close();

  /** Loads, and plays on where that was possible. */
  function tried(bytes: Uint8Array): void {
    const before = batch.save();
    try {
      batch.load(bytes);
    } catch (error) {
      expect((error as { code: string }).code).toMatch(/^(CORRUPT|MISMATCH)$/);
      expect(Buffer.compare(batch.save(), before)).toBe(0);
      return;
    }
    try {
      step(1);
      step(2);
      batch.save();
    } catch (error) {
      expect((error as { code: string }).code).toMatch(/^(NUMERIC|ENVIRONMENT)$/); // finite, and absurd
      batch.load(good);
    }
  }

  it("one byte at a time, through every register", () => {
    const reach = Math.min(good.length, 1100);
    const stride = Math.max(1, Math.floor(29 / effort));
    for (let at = headerBytes; at < reach; at += stride)
      for (const value of interesting) {
        const bytes = good.slice();
        bytes[at] = value;
        tried(signed(bytes));
      }
    batch.load(good);
  }, 1_200_000);

  it("bytes and words anywhere, pieces of another snapshot, cut off or longer", () => {
    const place = fc.double({ min: 0, max: 0.999, noNaN: true });
    const edit = fc.record({
      at: place,
      word: fc.oneof(fc.constantFrom(...interesting), fc.nat(0xffffffff)),
      wide: fc.boolean(),
    });
    const splice = fc.record({ from: place, to: place, length: fc.nat(400) });
    fc.assert(
      fc.property(
        fc.array(edit, { maxLength: 6 }),
        fc.array(splice, { maxLength: 2 }),
        fc.option(place),
        fc.nat(9),
        (edits, splices, cut, more) => {
          const length = cut === null ? good.length : headerBytes + Math.floor(cut * (good.length - headerBytes));
          const bytes = new Uint8Array(length + (more === 0 ? 7 : 0));
          bytes.set(good.subarray(0, length));
          const body = length - headerBytes;
          for (const { from, to, length: size } of splices) {
            const begin = Math.floor(from * other.length);
            bytes.set(
              other.subarray(begin, begin + Math.min(size, body - Math.floor(to * body))),
              headerBytes + Math.floor(to * body),
            );
          }
          for (const { at, word, wide } of edits) {
            const index = headerBytes + Math.floor(at * body);
            for (let k = 0; k < (wide ? 4 : 1) && index + k < length; k++) bytes[index + k] = word >>> (8 * k);
          }
          tried(signed(bytes));
        },
      ),
      { seed: 11, numRuns: 25 * effort },
    );
    batch.load(good);
    step(3);
  }, 1_200_000);
});
