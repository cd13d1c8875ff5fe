import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, it } from "vitest";
import { createNativeEnvBatch } from "../../native/envBatch.ts";
import { mujocoEnvironment, mujocoEnvironmentIds } from "../../native/mujocoEnvironments.ts";
import { OperatorError } from "../../shared/errors.ts";
import { nativeParts } from "../../shared/nativeParts.ts";
import { actionsAt, addonFile, mujocoBatch, nativeOptions, seedsFor } from "./mujocoBatch.ts";

const models = mkdtempSync(join(tmpdir(), "anchorage-models-"));
afterAll(() => rmSync(models, { recursive: true }));

describe("an EnvBatch of robots", () => {
  it("is a function of its seeds, and of each environment's own alone", () => {
    const [three, one] = [mujocoBatch("Hopper-v5", 3), mujocoBatch("Hopper-v5", 1)];
    three.reset(BigUint64Array.of(5n, 6n, 7n));
    one.reset(BigUint64Array.of(6n));
    for (let t = 0; t < 60; t++) {
      const actions = actionsAt(three, t);
      three.step(actions);
      one.step(actions.slice(3, 6));
      expect(three.observations.slice(11, 22)).toEqual(one.observations);
      expect(three.rawRewards[1]).toBe(one.rawRewards[0]);
    }
    expect(three.observations.slice(0, 11)).not.toEqual(three.observations.slice(11, 22));
  });

  it("cuts an episode off after maxEpisodeSteps, shows its last observation and begins the next one in the same step", () => {
    const batch = mujocoBatch("HalfCheetah-v4", 2, { envOptions: { maxEpisodeSteps: 4 } });
    const free = mujocoBatch("HalfCheetah-v4", 2);
    for (const b of [batch, free]) b.reset(seedsFor(2));
    const first = batch.observations.slice();
    let sum = 0;
    for (let t = 0; t < 4; t++) {
      for (const b of [batch, free]) b.step(actionsAt(batch, t));
      sum += batch.rawRewards[0]!;
      expect([...batch.truncated]).toEqual(t === 3 ? [1, 1] : [0, 0]);
    }
    expect([...batch.terminated]).toEqual([0, 0]);
    expect(batch.finalObservations).toEqual(free.observations); // where the episode would have gone on
    expect(batch.observations).not.toEqual(batch.finalObservations);
    expect(batch.observations).not.toEqual(first); // another episode, another first state
    expect(batch.episodeReturns[0]).toBe(sum);
    expect([...batch.episodeEnded, ...batch.episodeLengths]).toEqual([1, 1, 4, 4]);
    batch.step(actionsAt(batch, 4));
    expect([...batch.episodeEnded, ...batch.truncated]).toEqual([0, 0, 0, 0]);
  });

  it("counts a termination in the step of the limit as a termination", () => {
    // falling from a state just inside the healthy angle: terminates in step 1, which is also the limit
    const startState = [0, 0.19, 0, 3];
    const batch = mujocoBatch("InvertedPendulum-v5", 1, { startState, envOptions: { maxEpisodeSteps: 1 } });
    batch.reset(seedsFor(1));
    batch.step(Float32Array.of(0));
    expect([batch.terminated[0], batch.truncated[0], batch.rawRewards[0]]).toEqual([1, 0, 0]);
  });

  it.each([
    [Number.NaN, "nan"],
    [Number.POSITIVE_INFINITY, "inf"],
  ])("refuses the action %s, names its environment and has stepped nothing", (value, shown) => {
    const batch = mujocoBatch("Ant-v5", 3);
    batch.reset(seedsFor(3));
    const before = batch.save();
    const actions = actionsAt(batch, 0);
    actions[2 * batch.actionSize + 5] = value;
    expect(() => batch.step(actions)).toThrow(new RegExp(`environment 2, dimension 5\\) is -?${shown}`));
    expect(batch.save()).toEqual(before);
  });

  it("refuses actions and seeds of another length or type", () => {
    const batch = mujocoBatch("Ant-v5", 3);
    expect(() => batch.reset(seedsFor(2))).toThrow(/seeds has 2 elements, expected 3/);
    batch.reset(seedsFor(3));
    expect(() => batch.step(new Float32Array(23))).toThrow(/actions has 23 elements, expected 24/);
    expect(() => batch.step(new Float64Array(24) as never)).toThrow(/not a Float32Array/);
  });

  it("cannot be stepped before a reset or after close", () => {
    const batch = mujocoBatch("Reacher-v5", 1);
    expect(() => batch.step(new Float32Array(2))).toThrow(/no state/);
    batch.close();
    expect(() => batch.reset(seedsFor(1))).toThrow(/closed/);
  });
});

/** Mean and variance of column `i` of the first observations of many episodes. */
function firstObservations(id: string, count: number) {
  const batch = mujocoBatch(id, count);
  batch.reset(seedsFor(count, 1000));
  const width = batch.observations.length / count;
  return (i: number) => {
    const column = Array.from({ length: count }, (_, e) => batch.observations[e * width + i]!);
    const mean = column.reduce((a, b) => a + b, 0) / count;
    return { mean, sd: Math.sqrt(column.reduce((a, b) => a + (b - mean) ** 2, 0) / count), column };
  };
}

// 4000 draws: the mean of a distribution with standard deviation s is within 4 s / sqrt(4000) = 0.063 s of its own
describe("first states are drawn as Gymnasium draws them", () => {
  const near = (got: { mean: number; sd: number }, mean: number, sd: number) => {
    expect(Math.abs(got.mean - mean)).toBeLessThan(0.063 * sd);
    expect(got.sd / sd).toBeGreaterThan(0.95);
    expect(got.sd / sd).toBeLessThan(1.05);
  };
  const uniform = (half: number) => half / Math.sqrt(3);

  it("HalfCheetah: positions uniform within 0.1, velocities normal with 0.1", () => {
    const at = firstObservations("HalfCheetah-v5", 4000);
    near(at(3), 0, uniform(0.1));
    expect(Math.max(...at(3).column.map(Math.abs))).toBeLessThan(0.1);
    near(at(10), 0, 0.1);
    expect(Math.max(...at(10).column.map(Math.abs))).toBeGreaterThan(0.28); // a normal's tail
  });

  it("Walker2d: all uniform within 0.005, around a height of 1.25 m", () => {
    const at = firstObservations("Walker2d-v4", 4000);
    near(at(0), 1.25, uniform(0.005));
    near(at(12), 0, uniform(0.005));
  });

  it("Ant, Humanoid, Swimmer, the pendulums", () => {
    near(firstObservations("Ant-v4", 4000)(0), 0.75, uniform(0.1));
    near(firstObservations("Ant-v4", 4000)(20), 0, 0.1);
    near(firstObservations("Humanoid-v5", 1000)(0), 1.4, uniform(0.01));
    near(firstObservations("Humanoid-v5", 1000)(30), 0, uniform(0.01));
    near(firstObservations("Swimmer-v4", 4000)(6), 0, uniform(0.1));
    near(firstObservations("InvertedPendulum-v4", 4000)(3), 0, uniform(0.01));
    near(firstObservations("InvertedDoublePendulum-v4", 4000)(6), 0, 0.1); // a velocity: normal
  });

  it("Reacher: targets uniform in a disk of 0.2 m, and still", () => {
    const at = firstObservations("Reacher-v4", 4000);
    const [x, y] = [at(4).column, at(5).column];
    const radii = x.map((value, i) => Math.hypot(value, y[i]!));
    expect(Math.max(...radii)).toBeLessThan(0.2);
    // uniform in a disk: half of the targets lie beyond 0.2 / sqrt(2)
    expect(radii.filter((r) => r > 0.2 / Math.SQRT2).length / 4000).toBeCloseTo(0.5, 1);
    near(at(6), 0, uniform(0.005));
  });

  it("Pusher: objects in a rectangle of 0.3 x 0.4 m, at least 0.17 m from the goal, the arm at rest", () => {
    const at = firstObservations("Pusher-v5", 2000);
    // observation: 7 angles, 7 velocities, then arm tip, object and goal in world coordinates
    const gaps = at(17).column.map((x, e) => [x - at(20).column[e]!, at(18).column[e]! - at(21).column[e]!] as const);
    for (const [x, y] of gaps) expect(Math.hypot(x, y)).toBeGreaterThan(0.17);
    expect(Math.max(...gaps.map(([x]) => Math.abs(x)))).toBeLessThanOrEqual(0.2);
    expect(Math.min(...gaps.map(([, y]) => y))).toBeGreaterThan(-0.3);
    expect(Math.max(...gaps.map(([, y]) => y))).toBeLessThanOrEqual(0);
    expect(new Set(at(0).column)).toEqual(new Set([0]));
  });
});

describe("trouble in the simulator", () => {
  it("is counted where MuJoCo goes on from its initial state, as it does under Gymnasium", () => {
    // a joint speed over MuJoCo's limit of 1e10
    const startState = [...new Array<number>(9).fill(0), 1e11, ...new Array<number>(8).fill(0)];
    const batch = mujocoBatch("HalfCheetah-v4", 1, { startState });
    batch.reset(seedsFor(1));
    expect(batch.unstableSteps()).toBe(0);
    batch.step(new Float32Array(6));
    batch.step(new Float32Array(6));
    expect(batch.unstableSteps()).toBe(1);
    expect(batch.observations.every((x) => Math.abs(x) < 100)).toBe(true);
  });

  it("is an error that names the environment where the reward would not be finite, until a reset", () => {
    const batch = mujocoBatch("HalfCheetah-v4", 2);
    batch.reset(seedsFor(2));
    const actions = new Float32Array(12);
    actions[7] = 1e30; // its square is not a float32
    expect(() => batch.step(actions)).toThrow(/Environment 1: The simulation diverged/);
    expect(() => batch.step(new Float32Array(12))).toThrow(/earlier step failed/);
    batch.reset(seedsFor(2));
    batch.step(new Float32Array(12));
  });

  it("is an exception, not the end of the process, where MuJoCo calls its error handler", () => {
    const xml = readFileSync(join(nativeParts().mujocoModels!, "hopper.xml"), "utf8");
    const withMemory = (bytes: number) =>
      writeFileSync(join(models, "hopper.xml"), xml.replace("<worldbody>", `<size memory="${bytes}"/><worldbody>`));
    withMemory(1);
    expect(() => mujocoBatch("Hopper-v4", 1, { models })).toThrow(/cannot be read: .*out of memory/);
    withMemory(1700); // enough to stand, too little for the constraints that come
    const batch = mujocoBatch("Hopper-v4", 1, { models, envOptions: { terminateWhenUnhealthy: false } });
    batch.reset(seedsFor(1));
    const walk = () => {
      for (let t = 0; t < 200; t++) batch.step(actionsAt(batch, t));
    };
    expect(walk).toThrow(/Environment 0: MuJoCo stopped: .*out of memory/);
    expect(walk).toThrow(/earlier step failed/);
    batch.reset(seedsFor(1));
    expect(walk).toThrow(/Environment 0: MuJoCo stopped/);
  });

  it("is SETUP where a robot model is missing or damaged", () => {
    expect(() => mujocoBatch("Ant-v4", 1, { models: join(models, "nowhere") })).toThrow(/ant\.xml cannot be read/);
    writeFileSync(join(models, "ant.xml"), "<mujoco><worldbody><body/></mujoco>");
    expect(() => mujocoBatch("Ant-v4", 1, { models })).toThrow(/ant\.xml cannot be read: .*XML/);
    copyFileSync(join(nativeParts().mujocoModels!, "hopper.xml"), join(models, "reacher.xml"));
    expect(() => mujocoBatch("Reacher-v4", 1, { models })).toThrow(/no body named fingertip/);
  });
});

it("runs in two worker threads at once, on shared models, with the numbers of one thread", async () => {
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    const { Batch } = require(workerData.addon);
    const sums = workerData.jobs.map(({ options, length, actions }) => {
      const size = 4;
      const arrays = { observations: new Float64Array(size * length), finalObservations: new Float64Array(size * length),
        rewards: new Float32Array(size), rawRewards: new Float64Array(size), terminated: new Uint8Array(size),
        truncated: new Uint8Array(size), stackRefilled: new Uint8Array(size), episodeEnded: new Uint8Array(size),
        episodeReturns: new Float64Array(size), episodeLengths: new Int32Array(size) };
      const batch = new Batch({ ...options, identity: "", size, maxEpisodeSteps: 20 }, arrays);
      batch.reset(BigUint64Array.of(1n, 2n, 3n, 4n));
      let sum = 0;
      for (let t = 0; t < 30; t++) {
        batch.step(new Float32Array(size * actions).fill(Math.sin(t)));
        sum += arrays.rawRewards.reduce((a, b) => a + b) + arrays.observations.reduce((a, b) => a + b);
      }
      return sum;
    });
    parentPort.postMessage(sums);`;
  const jobs = mujocoEnvironmentIds.map((id) => {
    const { spec, settings } = mujocoEnvironment(id, {});
    const actions = spec.action.kind === "continuous" ? spec.action.low.length : 0;
    return { options: nativeOptions(settings), length: spec.observation.shape[0], actions };
  });
  const run = () =>
    new Promise<number[]>((resolve, reject) => {
      const worker = new Worker(code, { eval: true, workerData: { addon: addonFile(), jobs } });
      worker.once("message", resolve).once("error", reject);
    });
  const [a, b] = await Promise.all([run(), run()]);
  expect(a).toEqual(b);
  expect(a).toEqual(await run());
  expect(a.every(Number.isFinite)).toBe(true);
});

describe("behind createNativeEnvBatch", () => {
  it("an EnvBatch has its spec, and errors are OperatorErrors", () => {
    const batch = createNativeEnvBatch({ id: "Hopper-v5", size: 2, options: { maxEpisodeSteps: 3 } });
    expect(batch.spec).toEqual(mujocoEnvironment("Hopper-v5", { maxEpisodeSteps: 3 }).spec);
    batch.reset(seedsFor(2));
    for (let t = 0; t < 3; t++) batch.step(new Float32Array(6));
    expect([...batch.truncated]).toEqual([1, 1]);
    expect(() => batch.step(new Float32Array(6).fill(Number.NaN))).toThrow(OperatorError);
    batch.close();
  });

  it("a snapshot of other options is refused", () => {
    const make = (options: object) => createNativeEnvBatch({ id: "Hopper-v5", size: 1, options: { ...options } });
    const [a, b] = [make({}), make({ ctrlCostWeight: 0.5 })];
    a.reset(seedsFor(1));
    expect(() => b.load(a.save())).toThrow(/\[MISMATCH\].*ctrlCostWeight/);
  });

  it("an unstable simulation is told once, not at every step", async () => {
    const batch = createNativeEnvBatch({
      id: "Swimmer-v5",
      size: 16,
      options: { frameSkip: 100, resetNoiseScale: 50 },
    });
    const warnings: Error[] = [];
    const listen = (warning: Error) => void warnings.push(warning);
    process.on("warning", listen);
    batch.reset(seedsFor(16));
    for (let t = 0; t < 9; t++) batch.step(new Float32Array(32).fill(t % 2 === 0 ? 1 : -1));
    await new Promise(setImmediate);
    process.off("warning", listen);
    expect(warnings.length).toBeGreaterThanOrEqual(1);
    expect(warnings.length).toBeLessThanOrEqual(3); // at 1, 10 and 100 of the 144 steps
    expect(warnings[0]!.message).toMatch(/^Swimmer-v5: the simulation became unstable in \d+ agent steps/);
    batch.close();
  });
});
