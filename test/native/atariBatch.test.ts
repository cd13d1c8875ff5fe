import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { AtariOptions, atariEnvironment, atariEnvironmentIds } from "../../native/atariEnvironments.ts";
import { atariGames, createNativeEnvBatch, isNativeEnvironment, nativeEnvironmentIds } from "../../native/envBatch.ts";
import type { ObservationArray } from "../../shared/environment.ts";
import { nativeParts } from "../../shared/nativeParts.ts";
import { atariActions, atariJob, type Options, paperGames } from "./atariJobs.ts";

const seedsFor = (size: number): BigUint64Array => BigUint64Array.from({ length: size }, (_, e) => BigInt(e + 1));

function started(id: string, size: number, options: Options = {}) {
  const batch = createNativeEnvBatch({ id, size, options });
  batch.reset(seedsFor(size));
  const count = batch.spec.action.kind === "discrete" ? batch.spec.action.count : 0;
  return { batch, act: (t: number) => batch.step(atariActions(t, size, count)) };
}

/** toEqual takes seconds for so many elements. */
const same = (a: ObservationArray, b: ObservationArray): boolean =>
  Buffer.compare(a as Uint8Array, b as Uint8Array) === 0;

describe("the Atari games", () => {
  it("are there, the paper's 40 among them, under EnvPool's names", () => {
    expect(paperGames).toHaveLength(40);
    expect(atariGames()).toEqual(expect.arrayContaining(paperGames));
    expect(atariGames()).toHaveLength(104);
    expect(nativeEnvironmentIds()).toEqual(expect.arrayContaining(["UpNDown-v5", "Riverraid-v5", "HalfCheetah-v4"]));
    expect(isNativeEnvironment("StarGunner-v5")).toBe(true);
    expect(isNativeEnvironment("CartPole-v1")).toBe(false);
  });

  it.each(paperGames)("%s resets and plays 50 steps, the same for the same seed", (id) => {
    const [one, two] = [started(id, 1), started(id, 1)];
    for (let t = 0; t < 50; t++) {
      one.act(t);
      two.act(t);
      expect(same(one.batch.observations, two.batch.observations)).toBe(true);
      expect(Math.abs(one.batch.rewards[0]!)).toBe(one.batch.rawRewards[0] === 0 ? 0 : 1);
    }
    expect(new Set(one.batch.observations).size).toBeGreaterThan(1); // there is a picture
    one.batch.close();
    two.batch.close();
  });

  it("describe themselves", () => {
    const { spec } = createNativeEnvBatch({ id: "Breakout-v5", size: 1, options: { frameStack: 2, frameSkip: 3 } });
    expect(spec).toEqual({
      id: "Breakout-v5",
      observation: { dtype: "uint8", shape: [2, 84, 84], frameStack: 2 },
      action: { kind: "discrete", count: 4 },
      maxEpisodeSteps: 27_000,
      framesPerStep: 3,
    });
    const all = createNativeEnvBatch({ id: "Breakout-v5", size: 1, options: { fullActionSpace: true } });
    expect(all.spec.action).toEqual({ kind: "discrete", count: 18 });
  });
});

describe("an Atari batch", () => {
  it("resets in the step that ends a life, keeps the stack, and shows the final observation apart", () => {
    const { batch, act } = started("Breakout-v5", 2);
    const frame = 84 * 84;
    let lives = 0;
    for (let t = 0; t < 400 && lives < 4; t++) {
      const before = batch.observations.slice();
      act(t);
      for (let e = 0; e < 2; e++) {
        const now = batch.observations.subarray(e * 4 * frame, (e + 1) * 4 * frame);
        const earlier = before.subarray((e * 4 + 1) * frame, (e + 1) * 4 * frame);
        if (batch.terminated[e] === 0) {
          expect(same(now.subarray(0, 3 * frame), earlier)).toBe(true);
          expect(batch.stackRefilled[e]).toBe(0);
          continue;
        }
        const final = batch.finalObservations.subarray(e * 4 * frame, (e + 1) * 4 * frame);
        expect(same(final.subarray(0, 3 * frame), earlier)).toBe(true);
        if (batch.episodeEnded[e] === 1) {
          expect(batch.stackRefilled[e]).toBe(1);
          for (let s = 0; s < 3; s++)
            expect(same(now.subarray(s * frame, (s + 1) * frame), now.subarray(3 * frame))).toBe(true);
        } else {
          lives++;
          expect(batch.stackRefilled[e]).toBe(0);
          expect(same(now.subarray(0, 3 * frame), final.subarray(frame))).toBe(true);
        }
      }
    }
    expect(lives).toBeGreaterThanOrEqual(4);
  });

  it("counts whole games, whether a life ends an episode or not", () => {
    for (const episodicLife of [true, false]) {
      const { batch, act } = started("Breakout-v5", 3, { episodicLife, rewardSign: false });
      const score = [0, 0, 0];
      const steps = [0, 0, 0];
      let games = 0;
      let terminations = 0;
      for (let t = 0; t < 600; t++) {
        act(t);
        for (let e = 0; e < 3; e++) {
          score[e]! += batch.rawRewards[e]!;
          steps[e]!++;
          expect(batch.rewards[e]).toBe(batch.rawRewards[e]);
          terminations += batch.terminated[e]!;
          if (batch.episodeEnded[e] === 0) continue;
          games++;
          expect([batch.episodeReturns[e], batch.episodeLengths[e]]).toEqual([score[e], steps[e]]);
          score[e] = 0;
          steps[e] = 0;
        }
      }
      expect(games).toBeGreaterThan(2);
      if (episodicLife) expect(terminations).toBeGreaterThan(games);
      else expect(terminations).toBe(games);
      batch.close();
    }
  });

  it("truncates a game at maxEpisodeSteps and begins a new one", () => {
    const { batch, act } = started("Freeway-v5", 1, { maxEpisodeSteps: 10 });
    for (let t = 1; t <= 30; t++) {
      act(t);
      const limit = t % 10 === 0 ? 1 : 0;
      expect([batch.terminated[0], batch.truncated[0], batch.episodeEnded[0], batch.stackRefilled[0]]).toEqual([
        0,
        limit,
        limit,
        limit,
      ]);
      if (limit) expect(batch.episodeLengths[0]).toBe(10);
    }
  });

  it("draws no-ops and sticky actions from the environment's seed and episode", () => {
    const play = (seed: bigint, options: Options) => {
      const batch = createNativeEnvBatch({ id: "Seaquest-v5", size: 1, options });
      batch.reset(BigUint64Array.of(seed));
      for (let t = 0; t < 40; t++) batch.step(atariActions(t, 1, 18));
      return batch.observations.slice();
    };
    expect(same(play(1n, {}), play(2n, {}))).toBe(false);
    expect(same(play(1n, { noopMax: 1 }), play(2n, { noopMax: 1 }))).toBe(true);
    const sticky = { noopMax: 1, repeatActionProbability: 0.5 };
    expect(same(play(1n, sticky), play(2n, sticky))).toBe(false);
    expect(same(play(1n, sticky), play(1n, sticky))).toBe(true);
  });

  it("plays in two worker threads at once what it plays alone", async () => {
    const steps = 60;
    const job = { ...atariJob("Breakout-v5", {}, 2, 0, steps), seeds: seedsFor(2) };
    const source = `
      const { parentPort, workerData: { addon, job } } = require("node:worker_threads");
      const { createHash } = require("node:crypto");
      const { Batch } = require(addon);
      const arrays = Object.fromEntries(Object.entries(job.arrays).map(([name, [type, length]]) => [name, new globalThis[type](length)]));
      const batch = new Batch(job.options, arrays);
      batch.reset(job.seeds);
      const hash = createHash("sha256");
      for (const actions of job.actions) { batch.step(actions); hash.update(arrays.observations); }
      parentPort.postMessage(hash.digest("hex"));`;
    const inWorker = () =>
      new Promise<string>((resolve, reject) => {
        const worker = new Worker(source, { eval: true, workerData: { addon: nativeParts().addons.atari, job } });
        worker.once("message", resolve);
        worker.once("error", reject);
      });
    const alone = await inWorker();
    expect(await Promise.all([inWorker(), inWorker()])).toEqual([alone, alone]);
  });
});

describe("bad input", () => {
  it("is refused before anything is stepped", () => {
    const { batch, act } = started("Pong-v5", 2);
    act(0);
    const before = batch.save();
    const bad =
      (actions: unknown): (() => void) =>
      () =>
        batch.step(actions as Int32Array);
    expect(bad(Int32Array.of(0, 6))).toThrow("[ENVIRONMENT] actions[1] is 6. Actions are 0 to 5.");
    expect(bad(Int32Array.of(-1, 0))).toThrow("actions[0] is -1");
    expect(bad(Int32Array.of(0))).toThrow("[SHAPE] actions has 1 elements, expected 2.");
    expect(bad(new Float32Array(2))).toThrow("[SHAPE] actions is not a Int32Array.");
    expect(bad(null)).toThrow("[SHAPE] actions is not a typed array.");
    expect(bad([0, 0])).toThrow("[SHAPE]");
    expect(() => batch.reset(seedsFor(3))).toThrow("[SHAPE] seeds has 3 elements, expected 2.");
    expect(same(batch.save(), before)).toBe(true);
  });

  it("includes arrays that were handed to another thread", () => {
    const { batch, act } = started("Pong-v5", 1);
    structuredClone(batch.observations, { transfer: [batch.observations.buffer as ArrayBuffer] });
    expect(() => act(1)).toThrow("[SHAPE] observations has 0 elements, expected 28224.");
  });

  it("includes calls in the wrong order", () => {
    const batch = createNativeEnvBatch({ id: "Pong-v5", size: 1, options: {} });
    expect(() => batch.step(Int32Array.of(0))).toThrow("Call reset(seeds) or load(bytes) first.");
    expect(() => batch.save()).toThrow("Call reset(seeds) or load(bytes) first.");
    batch.close();
    expect(() => batch.reset(seedsFor(1))).toThrow("[ENVIRONMENT] The batch has been closed.");
  });

  it.each([
    ["Pong-v4", {}, '[ENVIRONMENT] There is no native environment "Pong-v4". Did you mean "Pong-v5"?'],
    ["UpNdown-v5", {}, 'Did you mean "UpNDown-v5"?'],
    [
      "Pong-v5",
      { frameskip: 4 },
      '[CONFIG] envOptions.frameskip = 4: Pong-v5 has no such option. Did you mean "frameSkip"?',
    ],
    ["Pong-v5", { frameSkip: 0 }, "[CONFIG] envOptions.frameSkip = 0 is not possible for Pong-v5: "],
    ["Pong-v5", { episodicLife: 1 }, "[CONFIG] envOptions.episodicLife = 1 is not possible for Pong-v5: "],
    ["Pong-v5", { repeatActionProbability: 1.5 }, "sticky actions: probability per frame that the last action stays."],
    ["Pong-v5", { mode: 77 }, "[CONFIG] envOptions.mode = 77: the game has no such mode. It has: 0, 1."],
    ["Pong-v5", { difficulty: 9 }, "[CONFIG] envOptions.difficulty = 9: the game has no such difficulty. It has: 0, 1"],
  ])("%s with %j says what is wrong", (id, options, message) => {
    expect(() => createNativeEnvBatch({ id, size: 1, options })).toThrow(message);
  });

  it("names a batch of no environments", () => {
    expect(() => createNativeEnvBatch({ id: "Pong-v5", size: 0, options: {} })).toThrow(
      "An EnvBatch of 0 environments",
    );
  });

  it("names a ROM that is not there or not the right one, with its folder", async () => {
    const folder = await mkdtemp(join(tmpdir(), "roms-"));
    expect(() => atariEnvironment("Pong-v5", {}, folder)).toThrow(
      `[SETUP] Pong-v5 needs the ROM pong.bin, which is not in ${folder}.`,
    );
    expect(() => atariEnvironment("Pong-v5", {}, null)).toThrow("there is no ROM folder. Run: npm run setup");
    const damaged = readFileSync(join(nativeParts().atariRoms!, "pong.bin"));
    damaged[100]! ^= 1;
    writeFileSync(join(folder, "pong.bin"), damaged);
    const job = atariJob("Pong-v5", {}, 1, 0, 0);
    const { createRequire } = await import("node:module");
    const { describe: shape } = createRequire(import.meta.url)(nativeParts().addons.atari!);
    expect(() => shape({ ...job.options, rom: join(folder, "pong.bin") })).toThrow(
      "is not the ROM that ALE knows by this name",
    );
    expect(() => shape({ ...job.options, rom: join(folder, "none.bin") })).toThrow("none.bin cannot be read.");
  });

  it("has a default for every option", () => {
    expect(AtariOptions.parse({})).toMatchObject({
      frameSkip: 4,
      noopMax: 30,
      episodicLife: true,
      maxEpisodeSteps: 27_000,
    });
    expect(new Set(atariEnvironmentIds).size).toBe(104);
  });
});
