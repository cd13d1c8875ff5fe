import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runCoordinator } from "../coordinator/main.ts";
import { encodeCheckpoint } from "../learner/checkpoint.ts";
import { TrainerThread } from "../learner/trainerThread.ts";
import { createNativeEnvBatch } from "../native/envBatch.ts";
import { CoordinatorClient } from "../shared/coordinatorClient.ts";
import { DeployConfig } from "../shared/deployConfig.ts";
import { fingerprint } from "../shared/fingerprint.ts";
import { Lifecycle } from "../shared/lifecycle.ts";
import { logger } from "../shared/log.ts";
import { resolveRunConfig } from "../shared/presets.ts";
import { sha256Hex } from "../shared/rolloutCodec.ts";
import { configDigest, runShape } from "../shared/runConfig.ts";
import { environmentSeed } from "../shared/seeds.ts";
import { median } from "./endToEnd.ts";
import { trainOurs } from "./ours.ts";
import { appendResults, type Row, table } from "./results.ts";

/**
 * What does a checkpoint cost against an update? CPU-seconds of making and storing one (the trainer's thread, encoding,
 * the stream, the coordinator and its fsyncs, all in this process) over those of an update of a whole training run:
 * `node dist/bench/checkpointCost.js [--turns 9] [--updates 4] [--no-write]`. Target: under 2 % at one in 10 updates.
 */
const { values } = parseArgs({
  options: {
    turns: { type: "string", default: "9" },
    updates: { type: "string", default: "4" },
    "no-write": { type: "boolean", default: false },
  },
});
const turns = Number(values.turns);
const updates = Number(values.updates);
if (!(Number.isInteger(turns) && turns > 0 && Number.isInteger(updates) && updates > 1))
  throw new Error(`--turns ${values.turns} --updates ${values.updates}: give a whole number above 0, and one above 1`);
process.env.ANCHORAGE_LOG ??= "error";

interface Cost {
  readonly bytes: number;
  readonly cpuMs: number;
  readonly wallMs: number;
}

/** Median over `turns` checkpoints of a run's size; the first one, which warms up, is left out. */
async function checkpointCost(env: string): Promise<Cost> {
  const config = resolveRunConfig({ env, totalSteps: 10_000_000 });
  const { envBatches } = runShape(config);
  const batches = Array.from({ length: envBatches }, (_, b) => {
    const batch = createNativeEnvBatch({ id: env, size: config.envBatchSize, options: {} });
    batch.reset(
      BigUint64Array.from({ length: config.envBatchSize }, (_, e) => environmentSeed(1, b * config.envBatchSize + e)),
    );
    return batch;
  });
  const { spec } = batches[0]!;
  const starts = batches.map((batch) => {
    const bytes = batch.save();
    batch.close();
    return { round: 1, state: { bytes, digest: sha256Hex(bytes) } };
  });
  const folder = mkdtempSync(join(tmpdir(), "anchorage-bench-"));
  const lifecycle = new Lifecycle(logger("bench"));
  const deploy = DeployConfig.parse({ coordinatorListen: "127.0.0.1:0" });
  let ended: Promise<unknown> = Promise.resolve();
  const address = await new Promise<string>((resolve, reject) => {
    const options = {
      runDir: join(folder, "run"),
      resume: false,
      lifecycle,
      onReady: (it: { address: string }) => resolve(it.address),
    };
    ended = runCoordinator(deploy, config, options);
    ended.catch(reject);
  });
  const client = new CoordinatorClient(address);
  const own = fingerprint({ device: "cpu", threads: 1, onednn: false, tensorflow: "2.21.0" });
  const { generation } = await client.register({
    role: "LEARNER",
    host: "bench",
    pid: process.pid,
    fingerprint_json: JSON.stringify(own),
    learner_address: "127.0.0.1:9",
  });
  const trainer = new TrainerThread({ runId: "bench", config, spec, device: "cpu", threads: 1, onednn: "off" });
  const policies = [await trainer.initialise(null)];
  const metadata = {
    runId: "bench",
    config,
    configDigest: configDigest(config),
    fingerprint: own,
    actorFingerprint: own,
    reproducible: true,
    build: "bench",
    weightsSha256: "",
    agentSteps: 0,
    episodes: 100,
    episodeWindow: Array.from({ length: 100 }, (_, i): [number, number] => [i / 3, 1000]),
    environmentSpec: spec,
    counters: {},
  };
  const costs: Cost[] = [];
  for (let update = 1; update <= turns + 1; update++) {
    const cpu = process.cpuUsage();
    const began = performance.now();
    const bytes = encodeCheckpoint({ metadata, trainer: await trainer.state(), policies, starts });
    const { stored, refused } = await client.saveCheckpoint({ generation, update, meanReturn: 0, bytes });
    if (!stored) throw new Error(`the checkpoint was refused: ${refused}`);
    const used = process.cpuUsage(cpu);
    costs.push({ bytes: bytes.length, cpuMs: (used.user + used.system) / 1000, wallMs: performance.now() - began });
  }
  await trainer.close();
  client.close();
  lifecycle.stop({ kind: "signal", detail: "end of bench" });
  await ended;
  rmSync(folder, { recursive: true });
  const of = (which: keyof Cost): number => median(costs.slice(1).map((cost) => cost[which]));
  return { bytes: of("bytes"), cpuMs: of("cpuMs"), wallMs: of("wallMs") };
}

const rows: Row[] = [];
for (const env of ["HalfCheetah-v4", "Pong-v5"]) {
  const { stepsPerRound } = runShape(resolveRunConfig({ env, totalSteps: 10_000_000 }));
  const { bytes, cpuMs, wallMs } = await checkpointCost(env);
  process.stderr.write(`${env}: ${cpuMs.toFixed(1)} CPU ms a checkpoint; training ${updates} updates\n`);
  const run = await trainOurs(["--env", env, "--algo", "ppo", "--total-steps", String(updates * stepsPerRound)], 1);
  const done = run.agentSteps / stepsPerRound;
  const updateMs = (1000 * run.cpuSeconds) / done;
  rows.push({
    Protocol: env,
    "checkpoint, MB": (bytes / 1e6).toFixed(2),
    "checkpoint, CPU ms": cpuMs.toFixed(1),
    "checkpoint, wall ms": wallMs.toFixed(1),
    "update, CPU ms": updateMs.toFixed(0),
    "update, wall ms": ((1000 * run.wallSeconds) / done).toFixed(0),
    "CPU at one in 10 updates": `${((10 * cpuMs) / updateMs).toFixed(2)} %`,
  });
}
process.stdout.write(`${table(rows)}\n`);
if (!values["no-write"])
  appendResults(rows, `node dist/bench/checkpointCost.js ${process.argv.slice(2).join(" ")}`.trim());
