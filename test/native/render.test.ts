import { describe, expect, it } from "vitest";
import { createNativeEnvBatch } from "../../native/envBatch.ts";
import type { EnvBatch, Picture } from "../../shared/environment.ts";

const size = { width: 96, height: 72 };
const make = (id: string, lanes = 2): EnvBatch => {
  const batch = createNativeEnvBatch({ id, size: lanes, options: {} });
  batch.reset(BigUint64Array.from({ length: lanes }, (_, e) => BigInt(e + 7)));
  return batch;
};

/** Actions that are a function of the step alone. */
function actionsAt(batch: EnvBatch, step: number): Int32Array | Float32Array {
  const { action } = batch.spec;
  if (action.kind === "discrete") return Int32Array.from({ length: batch.size }, (_, e) => (step + e) % action.count);
  const count = action.low.length;
  return Float32Array.from({ length: batch.size * count }, (_, i) => Math.sin(step + i) * action.high[i % count]!);
}

const bytesOf = (array: NodeJS.TypedArray): Buffer => Buffer.from(array.buffer, array.byteOffset, array.byteLength);
const same = (a: NodeJS.TypedArray, b: NodeJS.TypedArray): boolean => bytesOf(a).equals(bytesOf(b)); // toEqual takes seconds

/** Mean column of the pixels for which `wanted` holds. */
function column({ width, rgb }: Picture, wanted: (r: number, g: number, b: number) => boolean): number {
  let sum = 0;
  let count = 0;
  for (let i = 0; i < rgb.length / 3; i++)
    if (wanted(rgb[3 * i]!, rgb[3 * i + 1]!, rgb[3 * i + 2]!)) {
      sum += i % width;
      count++;
    }
  return sum / count;
}

describe("pictures change nothing that is simulated", () => {
  it.each(["HalfCheetah-v4", "Ant-v5", "Humanoid-v4", "Reacher-v4", "Pong-v5", "Asteroids-v5"])("%s", (id) => {
    const [plain, watched] = [make(id), make(id)];
    for (let step = 0; step < 60; step++) {
      watched.render(step % 2, size);
      plain.step(actionsAt(plain, step));
      watched.step(actionsAt(watched, step));
      expect(same(watched.observations, plain.observations)).toBe(true);
      expect(same(watched.rawRewards, plain.rawRewards)).toBe(true);
    }
    watched.render(0, size);
    expect(same(watched.save(), plain.save())).toBe(true);
    for (const batch of [plain, watched]) batch.close();
  });
});

describe("pictures of robots", () => {
  const ids = ["HalfCheetah", "Hopper", "Walker2d", "Ant", "Humanoid", "Swimmer", "Reacher", "Pusher"];
  it.each([...ids, "InvertedPendulum", "InvertedDoublePendulum"])("%s: same state, same picture; it moves", (robot) => {
    const batch = make(`${robot}-v5`);
    const drawn = (e: number): Uint8Array => batch.render(e, size)!.rgb;
    const { rgb: first, ...rest } = batch.render(0, size)!;
    expect(rest).toEqual({ ...size, pixelated: false });
    expect(first.length).toBe(size.width * size.height * 3);
    expect(same(drawn(0), first)).toBe(true);
    expect(same(drawn(1), first)).toBe(false);
    const state = batch.save();
    for (let step = 0; step < 5; step++) batch.step(actionsAt(batch, step));
    expect(same(drawn(0), first)).toBe(false);
    batch.load(state);
    expect(same(drawn(0), first)).toBe(true);
    batch.close();
  });

  it("shows the pendulum's yellow cart where it is", () => {
    const large = { width: 480, height: 360 };
    const batch = createNativeEnvBatch({ id: "InvertedPendulum-v5", size: 1, options: { resetNoiseScale: 0 } });
    batch.reset(BigUint64Array.of(1n));
    const isCart = (r: number, g: number, b: number): boolean => r > 90 && g > 90 && b < 60;
    const before = column(batch.render(0, large)!, isCart);
    for (let step = 0; step < 2; step++) batch.step(Float32Array.of(3));
    const moved = batch.observations[0]!; // metres along the rail
    expect(moved).toBeGreaterThan(0.07);
    // the rail is 2 m long and takes about 300 of the 480 columns
    const columns = column(batch.render(0, large)!, isCart) - before;
    expect(columns / moved).toBeGreaterThan(120);
    expect(columns / moved).toBeLessThan(180);
    batch.close();
  });

  it("keeps a robot that runs in the picture's middle: the ground moves instead", () => {
    const isRobot = (r: number, _g: number, b: number): boolean => r > b * 1.4;
    const options = { resetNoiseScale: 0, excludeCurrentPositionsFromObservation: false };
    const batch = createNativeEnvBatch({ id: "HalfCheetah-v4", size: 1, options });
    batch.reset(BigUint64Array.of(1n));
    const start = column(batch.render(0, size)!, isRobot);
    for (let step = 0; step < 200; step++) batch.step(actionsAt(batch, step));
    expect(Math.abs(batch.observations[0]!)).toBeGreaterThan(0.5); // metres; its length is 1
    expect(Math.abs(column(batch.render(0, size)!, isRobot) - start)).toBeLessThan(6);
    batch.close();
  });
});

describe("pictures of Atari games", () => {
  it("are the console's screen, whatever size is asked for", () => {
    const batch = make("Breakout-v5", 1);
    expect(batch.render(0, size)).toMatchObject({ width: 160, height: 210, pixelated: true });
    batch.close();
  });

  it("show what is drawn in every other frame only, as the observation does: both of a step's last two frames", () => {
    // Asteroids draws ship and rocks in turn, on black: a single frame always lacks some of them. Resizing by area keeps
    // the mean, so picture and observation must be as bright as each other.
    const batch = make("Asteroids-v5", 1);
    const stack = 4 * 84 * 84;
    for (let step = 0; step < 10; step++) {
      batch.step(Int32Array.of(0));
      const { rgb } = batch.render(0, size)!;
      let light = 0;
      for (let i = 0; i < rgb.length; i += 3) light += 0.2989 * rgb[i]! + 0.587 * rgb[i + 1]! + 0.114 * rgb[i + 2]!;
      const newest = batch.observations.subarray(stack - 84 * 84, stack) as Uint8Array;
      const seen = newest.reduce((sum, grey) => sum + grey, 0) / newest.length;
      expect(seen).toBeGreaterThan(1);
      expect(Math.abs(light / (rgb.length / 3) / seen - 1)).toBeLessThan(0.01); // the brighter frame alone: 0.03 less
    }
    batch.close();
  });
});

describe("bad input of render", () => {
  it("names what is not possible", () => {
    const batch = createNativeEnvBatch({ id: "Hopper-v4", size: 1, options: {} });
    expect(() => batch.render(0, size)).toThrow(/render\(\) was called on a batch that has no state.*reset\(seeds\)/);
    batch.reset(BigUint64Array.of(1n));
    expect(() => batch.render(1, size)).toThrow(/Option environment is 1/);
    expect(() => batch.render(0, { width: 8, height: 100 })).toThrow(/Option width is 8.*from 16 to 4096/);
    batch.close();
  });
});
