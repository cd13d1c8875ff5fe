import { join } from "node:path";
import { parseArgs } from "node:util";
import { createNativeEnvBatch } from "../native/envBatch.ts";
import type { EnvBatch } from "../shared/environment.ts";
import { projectRoot } from "../shared/nativeParts.ts";
import { environmentSeed, philox } from "../shared/seeds.ts";
import { median } from "./endToEnd.ts";
import { LineProcess } from "./lineProcess.ts";
import { peersPython } from "./peers.ts";
import { appendResults, type Row, table } from "./results.ts";

/**
 * Agent steps per CPU-second of the native environments alone against EnvPool, both on one thread with uniform random
 * actions and their own resets (Atari: with episodic life), in short turns, so that a drift of the machine's speed cancels out:
 * `node dist/bench/environmentSpeed.js [--envs HalfCheetah-v4,Ant-v4,...] [--size 64] [--turns 9] [--no-write]`.
 */
const { values } = parseArgs({
  options: {
    envs: { type: "string", default: "Pong-v5,Breakout-v5,HalfCheetah-v4,Ant-v4,Ant-v5,Humanoid-v4,Humanoid-v5" },
    size: { type: "string", default: "64" },
    turns: { type: "string", default: "9" },
    "no-write": { type: "boolean", default: false },
  },
});
const size = Number(values.size);
const turns = Number(values.turns);
if (!(Number.isInteger(size) && size > 0 && Number.isInteger(turns) && turns > 0))
  throw new Error(`--size ${values.size} --turns ${values.turns}: give whole numbers above 0`);

/** 64 batches of actions, uniform in what the environment accepts. */
function randomActions({ spec }: EnvBatch): (Int32Array | Float32Array)[] {
  const words = new Uint32Array(4);
  const uniform = (t: number, i: number): number => {
    philox(1n, t, i, 0, 0, words);
    return words[0]! / 4294967296;
  };
  const { action } = spec;
  return Array.from({ length: 64 }, (_, t) => {
    if (action.kind === "discrete")
      return Int32Array.from({ length: size }, (_, e) => Math.floor(uniform(t, e) * action.count));
    const { low, high } = action;
    return Float32Array.from({ length: size * low.length }, (_, i) => {
      const a = i % low.length;
      return low[a]! + (high[a]! - low[a]!) * uniform(t, i);
    });
  });
}

/** Steps in this process; CPU seconds of `count` batch steps. */
function ourSteps(id: string): { take: (count: number) => number; close: () => void } {
  const batch = createNativeEnvBatch({ id, size, options: {} });
  const actions = randomActions(batch);
  batch.reset(BigUint64Array.from({ length: size }, (_, e) => environmentSeed(1, e)));
  let step = 0;
  const take = (count: number): number => {
    const began = process.cpuUsage();
    for (let i = 0; i < count; i++) batch.step(actions[step++ % actions.length]!);
    const { user, system } = process.cpuUsage(began);
    return (user + system) / 1e6;
  };
  return { take, close: () => batch.close() };
}

/** EnvPool in a process of its own, asked for batch steps. */
function envpool(id: string): LineProcess {
  const file = join(projectRoot, "bench", "peers", "envpoolSteps.py");
  return new LineProcess(peersPython(), ["-W", "ignore", file, "--env", id, "--envs", String(size)]);
}

async function compare(id: string): Promise<Row> {
  const ours = ourSteps(id);
  const peer = envpool(id);
  const peerSeconds = async (steps: number): Promise<number> =>
    (await peer.ask<{ cpuSeconds: number }>(String(steps))).cpuSeconds;
  const count = Math.max(1, Math.round(0.4 / (ours.take(5) / 5))); // about 0.4 CPU-seconds a turn
  await peerSeconds(5);
  const rates: { ours: number; peer: number }[] = [];
  for (let turn = 0; turn < turns; turn++)
    rates.push({ ours: (size * count) / ours.take(count), peer: (size * count) / (await peerSeconds(count)) });
  ours.close();
  peer.close();
  const ratios = rates.map((rate) => rate.ours / rate.peer).sort((a, b) => a - b);
  return {
    Environment: id,
    "ours, steps per CPU-second": median(rates.map((rate) => rate.ours)).toFixed(0),
    "EnvPool, steps per CPU-second": median(rates.map((rate) => rate.peer)).toFixed(0),
    "ratio (median of turns)": `${median(ratios).toFixed(2)}x`,
    "lowest, highest": `${ratios[0]!.toFixed(2)}, ${ratios.at(-1)!.toFixed(2)}`,
  };
}

const rows: Row[] = [];
for (const id of values.envs.split(",")) {
  rows.push(await compare(id));
  process.stderr.write(`${Object.values(rows.at(-1)!).join("  ")}\n`);
}
process.stdout.write(`${table(rows)}\n`);
if (!values["no-write"])
  appendResults(rows, `node dist/bench/environmentSpeed.js ${process.argv.slice(2).join(" ")}`.trim());
