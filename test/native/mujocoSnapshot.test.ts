import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { crc32 } from "@node-rs/crc32";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mujocoEnvironment, mujocoEnvironmentIds } from "../../native/mujocoEnvironments.ts";
import { actionsAt, addonFile, mujocoBatch, nativeOptions, seedsFor, type TestBatch } from "./mujocoBatch.ts";

const size = 3;
const headerBytes = 20; // magic, version, CRC-32 and length; the CRC is of what follows

/** Everything a child process needs to make the batch; episodes are cut after 7 steps, so that several end. */
function job(id: string, envOptions: Record<string, number | boolean>, firstStep: number, steps: number) {
  const options = { ...envOptions, maxEpisodeSteps: 7 };
  const batch = mujocoBatch(id, size, { envOptions: options });
  const { settings } = mujocoEnvironment(id, options);
  const arrays = Object.fromEntries(
    Object.entries(batch)
      .filter(([, value]) => ArrayBuffer.isView(value))
      .map(([name, value]) => [name, [value.constructor.name, (value as Float64Array).length]]),
  );
  const actions = Array.from({ length: steps }, (_, t) => actionsAt(batch, firstStep + t));
  batch.close();
  return { id, options: { ...nativeOptions(settings), identity: id, size, maxEpisodeSteps: 7 }, arrays, actions };
}

interface Played {
  readonly id: string;
  readonly digests: string[];
  readonly ends: number;
  readonly snapshot: Uint8Array;
}

async function inAnotherProcess(steps: number, batches: object[]): Promise<Played[]> {
  // structured clone: options hold Infinity, which JSON does not
  const child = fork(join(import.meta.dirname, "continueMujoco.mjs"), { serialization: "advanced", execArgv: [] });
  child.send({ addon: addonFile(), steps, batches });
  const [answer] = await Promise.race([once(child, "message"), once(child, "exit")]);
  if (!Array.isArray(answer)) throw new Error(`the child process ended with status ${answer}`);
  return answer as Played[];
}

const variants: [string, Record<string, number | boolean>][] = [
  ...mujocoEnvironmentIds.map((id): [string, Record<string, number | boolean>] => [id, {}]),
  ["Ant-v4", { useContactForces: true }],
  ["Humanoid-v5", { includeCvelInObservation: false, excludeCurrentPositionsFromObservation: false }],
];

describe("a snapshot", () => {
  it("continues in another process to the bit, rewards and later episodes included, for every environment", async () => {
    const seeds = seedsFor(size, 40);
    const start = (firstStep: number, steps: number) =>
      variants.map(([id, options]) => job(id, options, firstStep, steps));
    const [whole, half] = await Promise.all([
      inAnotherProcess(
        30,
        start(0, 30).map((batch) => ({ ...batch, seeds })),
      ),
      inAnotherProcess(
        11,
        start(0, 11).map((batch) => ({ ...batch, seeds })),
      ),
    ]);
    const rest = await inAnotherProcess(
      19,
      start(11, 19).map((batch, i) => ({ ...batch, snapshot: half[i]!.snapshot })),
    );
    for (const [i, { id, digests, ends, snapshot }] of whole.entries()) {
      expect(rest[i]!.digests.slice(1), id).toEqual(digests.slice(12));
      expect(rest[i]!.snapshot, id).toEqual(snapshot);
      expect(ends, id).toBeGreaterThanOrEqual(4 * size); // 30 steps, cut after 7
    }
  });

  it("holds the current observation, too", () => {
    for (const id of ["Humanoid-v4", "Reacher-v4", "Ant-v5"]) {
      const batch = mujocoBatch(id, size);
      batch.reset(seedsFor(size));
      for (let t = 0; t < 5; t++) batch.step(actionsAt(batch, t));
      const seen = batch.observations.slice();
      const bytes = batch.save();
      batch.reset(seedsFor(size, 9));
      expect(batch.observations).not.toEqual(seen);
      batch.load(bytes);
      expect(batch.observations).toEqual(seen);
      batch.close();
    }
  });

  it("is small: positions, velocities, warm start and what lags", () => {
    const batch = mujocoBatch("HalfCheetah-v4", 1);
    batch.reset(seedsFor(1));
    // (9 + 9 + 9 numbers and the reward's position) x 8 bytes, and under 120 bytes of header, identity and counters
    expect(batch.save().length - JSON.stringify(["HalfCheetah-v4"]).length).toBeLessThan(28 * 8 + 400);
    batch.close();
  });
});

/** Puts the right checksum on changed bytes: what lies behind it must hold, too. */
function checksummed(bytes: Uint8Array): Uint8Array {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(8, crc32(Buffer.from(bytes.subarray(headerBytes))), true);
  return bytes;
}

function loadHostile(batch: TestBatch, before: Uint8Array, bytes: Uint8Array): void {
  try {
    batch.load(bytes);
  } catch (error) {
    expect(["CORRUPT", "MISMATCH"]).toContain((error as { code: string }).code);
    expect(Buffer.compare(batch.save(), before), "the batch is as it was").toBe(0);
    return;
  }
  try {
    for (let t = 0; t < 3; t++) batch.step(actionsAt(batch, t)); // finite numbers may be absurd: no crash is all we ask
  } catch (error) {
    expect(["NUMERIC", "ENVIRONMENT"]).toContain((error as { code: string }).code);
  }
  batch.load(before);
}

describe("hostile snapshot bytes never crash and never half load", () => {
  for (const id of ["HalfCheetah-v4", "Humanoid-v5", "Pusher-v5", "InvertedDoublePendulum-v4"])
    it(id, () => {
      const batch = mujocoBatch(id, 2);
      batch.reset(seedsFor(2));
      for (let t = 0; t < 3; t++) batch.step(actionsAt(batch, t));
      const good = batch.save();
      const edit = fc.record({ at: fc.nat(good.length - 1), byte: fc.nat(255) });
      const settings = { seed: 7, numRuns: 150 };
      fc.assert(
        fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), fc.boolean(), (edits, honest) => {
          const bytes = good.slice();
          for (const { at, byte } of edits) bytes[at] = byte;
          loadHostile(batch, good, honest ? checksummed(bytes) : bytes);
        }),
        settings,
      );
      fc.assert(
        fc.property(fc.nat(good.length), fc.boolean(), (length, honest) => {
          const bytes = good.slice(0, length);
          loadHostile(batch, good, honest && length > headerBytes ? checksummed(bytes) : bytes);
        }),
        settings,
      );
      fc.assert(
        fc.property(
          fc.nat(good.length - 8 - headerBytes),
          fc.constantFrom(NaN, Infinity, 1e300, -1e12),
          (at, value) => {
            const bytes = good.slice();
            new DataView(bytes.buffer).setFloat64(headerBytes + at, value, true);
            loadHostile(batch, good, checksummed(bytes));
          },
        ),
        settings,
      );
      batch.close();
    });

  it("refuses NaN in a state that is otherwise right", () => {
    const batch = mujocoBatch("HalfCheetah-v4", 1);
    batch.reset(seedsFor(1));
    const bytes = batch.save();
    new DataView(bytes.buffer).setFloat64(bytes.length - 16, Number.NaN, true); // the last velocity of the warm start
    expect(() => batch.load(checksummed(bytes))).toThrow(/not finite/);
    batch.close();
  });
});
