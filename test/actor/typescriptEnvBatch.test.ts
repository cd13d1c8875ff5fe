import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32c } from "@node-rs/crc32";
import { describe, expect, it } from "vitest";
import { makeEnvBatch } from "../../actor/environments.ts";
import type { EnvBatch } from "../../shared/environment.ts";

const drawing = "test/actor/fixtures/drawingEnvironment.ts";
const bad = "test/actor/fixtures/badEnvironment.ts";
const folder = mkdtempSync(join(tmpdir(), "anchorage-"));
const broken = join(folder, "broken.mjs");
writeFileSync(broken, "export default class {{");

const seeds = (...values: number[]): BigUint64Array => BigUint64Array.from(values.map(BigInt));
const cartPoles = (size: number): Promise<EnvBatch> => makeEnvBatch({ env: "CartPole-v1", envOptions: {}, size });
const drawings = (size: number, stacked = false): Promise<EnvBatch> =>
  makeEnvBatch({ env: drawing, envOptions: { stacked }, size });

/** Everything that a step reports, copied. */
function report(batch: EnvBatch): unknown {
  const { observations, rewards, rawRewards, terminated, truncated, stackRefilled, episodeEnded } = batch;
  const arrays = { observations, rewards, rawRewards, terminated, truncated, stackRefilled, episodeEnded };
  return Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, [...array]]));
}

describe("TypescriptEnvBatch", () => {
  it("is truncated after maxEpisodeSteps and reports the episode, its final observation and the next first one", async () => {
    const batch = await drawings(1);
    batch.reset(seeds(5));
    const rewards: number[] = [];
    for (let t = 1; t <= 7; t++) {
      batch.step(Float32Array.of(-0.5, 0.2)); // -0.7 + uniform: stays below 4
      rewards.push(batch.rawRewards[0]!);
      expect([batch.terminated[0], batch.truncated[0], batch.episodeEnded[0]]).toEqual(t < 7 ? [0, 0, 0] : [0, 1, 1]);
    }
    expect(batch.episodeLengths[0]).toBe(7);
    expect(batch.episodeReturns[0]).toBe(rewards.reduce((a, b) => a + b, 0));
    expect(batch.finalObservations[0]).toBe(rewards[6]); // this environment observes the sum that it rewards
    expect(batch.observations[0]).not.toBe(rewards[6]);
  });

  it("says terminated, and not truncated, where the environment ends for good", async () => {
    const batch = await drawings(2);
    batch.reset(seeds(1, 2));
    let steps = 0;
    do batch.step(Float32Array.of(1, -1, 0, 0));
    while (batch.terminated[0] === 0 && ++steps < 7);
    expect([batch.terminated[0], batch.truncated[0], batch.terminated[1]]).toEqual([1, 0, 0]);
    expect(batch.rawRewards[0]).toBeGreaterThan(4);
  });

  it.each([
    ["float64 observations", false],
    ["stacked frames", true],
  ])("continues bit-identically in another batch from its saved state: %s", async (_what, stacked) => {
    const [one, other] = [await drawings(3, stacked), await drawings(3, stacked)];
    const actions = (t: number): Float32Array => Float32Array.from({ length: 6 }, (_, i) => Math.sin(t * 6 + i));
    one.reset(seeds(1, 2, 3));
    other.reset(seeds(7, 8, 9));
    for (let t = 0; t < 10; t++) one.step(actions(t));
    other.load(one.save());
    expect(other.observations).toEqual(one.observations);
    expect(other.save()).toEqual(one.save());
    for (let t = 10; t < 40; t++) {
      one.step(actions(t));
      other.step(actions(t));
      expect(report(other)).toEqual(report(one));
    }
    expect(other.save()).toEqual(one.save());
  });

  it("plays every environment by its own seed, whatever the batch size", async () => {
    const [three, single] = [await cartPoles(3), await cartPoles(1)];
    three.reset(seeds(4, 5, 6));
    single.reset(seeds(5));
    for (let t = 0; t < 60; t++) {
      three.step(Int32Array.of(t % 2, (t >> 1) % 2, 0));
      single.step(Int32Array.of((t >> 1) % 2));
      expect([...three.observations.subarray(4, 8)]).toEqual([...single.observations]);
    }
  });

  it("marks a stack that holds its newest frame only", async () => {
    const batch = await drawings(1, true);
    batch.reset(seeds(5));
    expect(batch.stackRefilled[0]).toBe(1);
    for (let t = 1; t <= 7; t++) batch.step(Float32Array.of(-0.3, 0.5));
    expect([batch.episodeEnded[0], batch.stackRefilled[0]]).toEqual([1, 1]);
    batch.step(Float32Array.of(-0.3, 0.5));
    expect(batch.stackRefilled[0]).toBe(0);
  });

  it.each([
    ["another number of actions", Int32Array.of(1), /SHAPE.*1 elements, expected 2/],
    ["another dtype", Float32Array.of(1, 1), /SHAPE.*Float32Array, expected Int32Array/],
    ["an action out of range", Int32Array.of(1, 2), /NUMERIC.*Action 1.*is 2, expected 0..1/],
  ])("refuses %s before anything is stepped", async (_what, actions, message) => {
    const batch = await cartPoles(2);
    batch.reset(seeds(1, 2));
    const before = batch.save();
    expect(() => batch.step(actions)).toThrow(message);
    expect(batch.save()).toEqual(before);
  });

  it("refuses a NaN action", async () => {
    const batch = await drawings(1);
    batch.reset(seeds(1));
    expect(() => batch.step(Float32Array.of(0, Number.NaN))).toThrow(/NUMERIC.*Action 1.*is NaN/);
  });

  it("leaves the batch as it was when a state does not load", async () => {
    const batch = await drawings(2);
    batch.reset(seeds(1, 2));
    batch.step(new Float32Array(4));
    const before = batch.save();
    const spoiled = before.slice();
    spoiled[40]! ^= 1;
    const cartPole = await cartPoles(2);
    cartPole.reset(seeds(1, 2));
    const threes = await drawings(3);
    threes.reset(seeds(1, 2, 3));
    const next = await drawings(2);
    next.reset(seeds(3, 4));
    expect(() => batch.load(spoiled)).toThrow(/CORRUPT.*checksum/);
    expect(() => batch.load(before.subarray(0, 10))).toThrow(/CORRUPT.*only 10 bytes/);
    expect(() => batch.load(new Uint8Array(100))).toThrow(/CORRUPT.*format/);
    expect(() => batch.load(cartPole.save())).toThrow(/MISMATCH.*CartPole-v1/);
    expect(() => batch.load(threes.save())).toThrow(/MISMATCH.*"size":3/);
    const unloadable = Buffer.from(before); // environment 1 throws on a NaN sum, after environment 0 took its state
    unloadable.writeDoubleLE(Number.NaN, before.length - 12);
    unloadable.writeUInt32LE(crc32c(unloadable.subarray(0, -4)), before.length - 4);
    expect(() => batch.load(unloadable)).toThrow(/CORRUPT.*did not load a state: NaN is no state/);
    expect(batch.save()).toEqual(before);
    next.load(before);
    batch.step(new Float32Array(4));
    next.step(new Float32Array(4));
    expect(next.save()).toEqual(batch.save());
  });
});

describe("a misbehaving environment", () => {
  it.each([
    ["throw", /ENVIRONMENT.*Bad: environment 0 .*step 3 of episode 0: it threw lost the cart/],
    ["observation", /ENVIRONMENT.*environment 0 .*step 3 .*observation\[1\] is NaN/],
    ["reward", /ENVIRONMENT.*reward is Infinity, expected a finite number/],
    ["type", /ENVIRONMENT.*terminated is 0, expected true or false/],
    ["nothing", /ENVIRONMENT.*step returned undefined/],
  ])("is named with its place and field: %s", async (how, message) => {
    const batch = await makeEnvBatch({ env: bad, envOptions: { how }, size: 2 });
    batch.reset(seeds(1, 2));
    const actions = Int32Array.of(0, 1);
    batch.step(actions);
    batch.step(actions);
    expect(() => batch.step(actions)).toThrow(message);
    expect(() => batch.step(actions)).toThrow(/reset or load/);
    batch.reset(seeds(1, 2));
    batch.step(actions);
  });
});

describe("makeEnvBatch", () => {
  it("takes the example of the documentation as it stands there", async () => {
    const page = readFileSync(new URL("../../docs/environments.md", import.meta.url), "utf8");
    const file = join(folder, "walk.ts");
    writeFileSync(file, /```ts\n(.*?)```/s.exec(page)![1]!);
    const batch = await makeEnvBatch({ env: file, envOptions: {}, size: 2 });
    batch.reset(seeds(1, 2));
    let ends = 0;
    for (let t = 0; t < 50; t++) {
      batch.step(Int32Array.of(1, t % 2));
      ends += batch.terminated[0]! + batch.truncated[1]!;
      batch.load(batch.save());
    }
    expect(ends).toBeGreaterThan(1);
  });

  it.each<[string, string, Record<string, string>, RegExp]>([
    ["an unknown id", "CartPol-v1", {}, /ENVIRONMENT.*no environment CartPol-v1.*CartPole-v1/],
    ["a missing file", "./missing.ts", {}, /ENVIRONMENT.*missing.ts does not exist/],
    [
      "a module without a default class",
      "test/actor/fixtures/noClass.ts",
      {},
      /no class as its default export \(it exports answer\)/,
    ],
    ["a class without the methods", "test/actor/fixtures/halfClass.ts", {}, /its class lacks step, save, load/],
    ["a module that does not parse", broken, {}, /cannot be loaded/],
    ["a wrong spec", bad, { how: "spec" }, /wrong spec: spec.maxEpisodeSteps/],
    ["a constructor that throws", bad, { how: "constructor" }, /its constructor threw no such track/],
    ["an option that is none", "CartPole-v1", { gravity: "1" }, /CONFIG.*envOptions.gravity/],
  ])("says what is wrong: %s", async (_what, env, envOptions, message) => {
    await expect(makeEnvBatch({ env, envOptions, size: 1 })).rejects.toThrow(message);
  });
});
