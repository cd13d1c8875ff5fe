import { parseArgs } from "node:util";
import { Policy } from "../actor/policy.ts";
import { RolloutCollector } from "../actor/rollout.ts";
import { TrainerThread } from "../learner/trainerThread.ts";
import { createNativeEnvBatch } from "../native/envBatch.ts";
import { learnerProto } from "../proto/load.ts";
import type { EnvBatch, EnvironmentSpec } from "../shared/environment.ts";
import type { PolicySnapshot } from "../shared/policySnapshot.ts";
import { resolveRunConfig } from "../shared/presets.ts";
import { decodeRollout, encodeRollout, sha256Hex } from "../shared/rolloutCodec.ts";
import type { RunConfig } from "../shared/runConfig.ts";
import { median, perCpuSecond, perSecond } from "./endToEnd.ts";
import { type OursMeasured, trainOurs } from "./ours.ts";
import { appendResults, type Row, table } from "./results.ts";

/**
 * What does determinism cost? First, per rollout: agent steps per CPU-second of collecting, encoding and checking rollouts
 * that begin by loading a state and end by saving one, against environments that are simply kept. Then, per run: `train`
 * at policy lag 1, which waits for the leased policy and for every EnvBatch, against async, which waits for nobody.
 * `node dist/bench/determinismCost.js [--turns 15] [--train-turns 3] [--no-write]`; 0 turns leave a part out. Both sides
 * take turns, so that a drift of the machine's speed cancels out.
 */
const { values } = parseArgs({
  options: {
    turns: { type: "string", default: "15" },
    "train-turns": { type: "string", default: "3" },
    "no-write": { type: "boolean", default: false },
  },
});
const turns = Number(values.turns);
const trainTurns = Number(values["train-turns"]);
if (![turns, trainTurns].every((count) => Number.isInteger(count) && count >= 0))
  throw new Error(`--turns ${values.turns} --train-turns ${values["train-turns"]}: give whole numbers from 0 on`);
process.env.ANCHORAGE_LOG ??= "error";

const turnCpuSeconds = 0.5;
const stateTurns = 300;

/** The same environments as an actor would keep them if its work could not move: nothing is loaded, nothing is saved. */
function kept(batch: EnvBatch): EnvBatch {
  const noState = new Uint8Array(1); // a rollout without any end state is refused
  const { spec, size, observations, finalObservations, rewards, rawRewards, terminated, truncated } = batch;
  const { stackRefilled, episodeEnded, episodeReturns, episodeLengths, presentation } = batch;
  return {
    ...{ spec, size, observations, finalObservations, rewards, rawRewards, terminated, truncated },
    ...{ stackRefilled, episodeEnded, episodeReturns, episodeLengths, presentation },
    reset: (seeds) => batch.reset(seeds),
    step: (actions) => batch.step(actions),
    save: () => noState,
    load: () => {},
    render: (e, pictureSize) => batch.render(e, pictureSize),
    close: () => batch.close(),
  };
}

const newBatch = ({ env, envBatchSize }: RunConfig): EnvBatch =>
  createNativeEnvBatch({ id: env, size: envBatchSize, options: {} });

/** Version 0 of the run: what the actors of its first round act with. */
async function firstPolicy(config: RunConfig, spec: EnvironmentSpec): Promise<PolicySnapshot> {
  const trainer = new TrainerThread({ runId: "bench", config, spec, device: "cpu", threads: 1, onednn: "off" });
  try {
    return await trainer.initialise(null);
  } finally {
    await trainer.close();
  }
}

interface Collected {
  readonly messageBytes: number;
  readonly stateBytes: number;
  readonly rewards: Float32Array;
}

/** One EnvBatch whose rollouts follow one another: collected, encoded as an actor does, decoded and checked as the learner does. */
class Rollouts {
  readonly #config: RunConfig;
  readonly #batch: EnvBatch;
  readonly #collector: RolloutCollector;
  readonly #policy: Policy;
  readonly #digest: string;
  #round = 0;
  #state: Uint8Array | null = null;

  private constructor(config: RunConfig, batch: EnvBatch, policy: Policy, digest: string) {
    this.#config = config;
    this.#batch = batch;
    this.#collector = new RolloutCollector(config, batch);
    this.#policy = policy;
    this.#digest = digest;
  }

  static async of(config: RunConfig, batch: EnvBatch, { bytes, digest }: PolicySnapshot): Promise<Rollouts> {
    return new Rollouts(config, batch, await Policy.load(bytes, batch.spec, batch.size, "The bench's policy"), digest);
  }

  async next(): Promise<Collected> {
    const round = this.#round++;
    const key = { runId: "bench", generation: 1, envBatch: 0, round, policyVersion: 0, policyDigest: this.#digest };
    const { Collect } = learnerProto.Learner.service;
    const rollout = await this.#collector.collect({ key, actorId: "bench", state: this.#state }, this.#policy);
    const sent = encodeRollout(rollout, round, this.#config, this.#batch.spec);
    const bytes = Collect.requestSerialize({ rollout: sent });
    const received = decodeRollout(Collect.requestDeserialize(bytes).rollout!, this.#config, this.#batch.spec);
    this.#state = received.endState;
    return { messageBytes: bytes.length, stateBytes: received.endState.length, rewards: received.rewards };
  }

  /** CPU seconds of `count` rollouts. */
  async take(count: number): Promise<{ readonly cpuSeconds: number; readonly last: Collected }> {
    const began = process.cpuUsage();
    let last = await this.next();
    for (let i = 1; i < count; i++) last = await this.next();
    const { user, system } = process.cpuUsage(began);
    return { cpuSeconds: (user + system) / 1e6, last };
  }

  async close(): Promise<void> {
    await this.#policy.close();
    this.#batch.close();
  }
}

/**
 * Median CPU milliseconds of what only the state costs in a rollout's life: loaded and saved, its digest and a copy at both
 * ends, carried in the message. Beside the turns, whose difference a busy machine hides.
 */
function stateCpuMs(config: RunConfig): number {
  const batch = newBatch(config);
  batch.reset(BigUint64Array.from({ length: batch.size }, (_, e) => BigInt(e + 1)));
  const { Collect } = learnerProto.Learner.service;
  const actions = batch.spec.action.kind === "discrete" ? new Int32Array(batch.size) : null;
  const still = actions ?? new Float32Array(batch.size * (batch.spec.action as { low: number[] }).low.length);
  for (let t = 0; t < 100; t++) batch.step(still);
  let state = batch.save();
  const costs: number[] = [];
  for (let turn = 0; turn < stateTurns; turn++) {
    const began = process.cpuUsage();
    batch.load(state);
    const end_state = Buffer.from(batch.save());
    const sent = Collect.requestSerialize({ rollout: { end_state, end_state_digest: sha256Hex(end_state) } });
    const { end_state: came, end_state_digest: digest } = Collect.requestDeserialize(sent).rollout!;
    if (sha256Hex(came) !== digest) throw new Error(`${config.env}: the state does not have its digest`);
    state = Uint8Array.from(came);
    const { user, system } = process.cpuUsage(began);
    costs.push((user + system) / 1000);
  }
  batch.close();
  return median(costs);
}

const kilobytes = (bytes: number): string => (bytes / 1000).toFixed(1);

async function costPerRollout(env: string): Promise<Row> {
  const config = resolveRunConfig({ env, algo: "ppo", totalSteps: 10_000_000 });
  const batch = newBatch(config);
  const policy = await firstPolicy(config, batch.spec);
  const moving = await Rollouts.of(config, batch, policy);
  const staying = await Rollouts.of(config, kept(newBatch(config)), policy);
  for (const side of [moving, staying]) await side.take(2);
  const count = Math.max(1, Math.round((turnCpuSeconds * 2) / (await moving.take(2)).cpuSeconds));
  await staying.take(2);
  const pairs: { moving: number; staying: number }[] = [];
  let bytes: { moving: Collected; staying: Collected } | null = null;
  for (let turn = 0; turn < turns; turn++) {
    const staysFirst = turn % 2 === 1 ? await staying.take(count) : null;
    const moves = await moving.take(count);
    const stays = staysFirst ?? (await staying.take(count));
    // both must have done the same work: the states that one side carries around change no number
    if (Buffer.compare(Buffer.from(moves.last.rewards.buffer), Buffer.from(stays.last.rewards.buffer)) !== 0)
      throw new Error(`${env}: the two sides' rewards differ in turn ${turn}`);
    pairs.push({ moving: moves.cpuSeconds, staying: stays.cpuSeconds });
    bytes = { moving: moves.last, staying: stays.last };
  }
  for (const side of [moving, staying]) await side.close();
  const { envBatchSize, rolloutSteps } = config;
  const stateMs = stateCpuMs(config);
  const rolloutMs = (1000 * median(pairs.map((pair) => pair.staying))) / count;
  const steps = count * envBatchSize * rolloutSteps;
  const costs = pairs.map((pair) => 100 * (pair.moving / pair.staying - 1)).sort((a, b) => a - b);
  return {
    Rollout: `${env}, ${envBatchSize} envs x ${rolloutSteps} steps`,
    "state loaded and saved, steps per CPU-second": (steps / median(pairs.map((pair) => pair.moving))).toFixed(0),
    "environments kept, steps per CPU-second": (steps / median(pairs.map((pair) => pair.staying))).toFixed(0),
    "state alone, CPU ms": stateMs.toFixed(2),
    "rollout, CPU ms": rolloutMs.toFixed(1),
    cost: `${((100 * stateMs) / rolloutMs).toFixed(2)} %`,
    "difference of turns, median": `${median(costs).toFixed(1)} %`,
    "lowest, highest": `${costs[0]!.toFixed(1)} %, ${costs.at(-1)!.toFixed(1)} %`,
    "state, kB": kilobytes(bytes!.moving.stateBytes),
    "message with state, kB": kilobytes(bytes!.moving.messageBytes),
    "message without, kB": kilobytes(bytes!.staying.messageBytes),
  };
}

async function costPerRun(env: string, totalSteps: number): Promise<Row> {
  const flags = ["--env", env, "--algo", "ppo", "--total-steps", String(totalSteps), "--policy-lag"];
  const lagged: OursMeasured[] = [];
  const async: OursMeasured[] = [];
  for (let turn = 0; turn < trainTurns; turn++) {
    lagged.push(await trainOurs([...flags, "1"], 1));
    async.push(await trainOurs([...flags, "async"], 1));
    process.stderr.write(`${env}: pair ${turn + 1} of ${trainTurns}\n`);
  }
  const ratio = (of: (run: OursMeasured) => number): string =>
    `${median(lagged.map((run, i) => of(run) / of(async[i]!))).toFixed(2)}x`;
  const rate = (runs: readonly OursMeasured[], of: (run: OursMeasured) => number): string =>
    median(runs.map(of)).toFixed(0);
  return {
    "Run, `train`": `${env}, ${totalSteps} steps`,
    "lag 1, steps per CPU-second": rate(lagged, perCpuSecond),
    "async, steps per CPU-second": rate(async, perCpuSecond),
    "CPU ratio (median of pairs)": ratio(perCpuSecond),
    "lag 1, steps/s": rate(lagged, perSecond),
    "async, steps/s": rate(async, perSecond),
    "wall ratio": ratio(perSecond),
  };
}

function report(rows: readonly Row[]): void {
  process.stdout.write(`${table(rows)}\n`);
  if (!values["no-write"])
    appendResults(rows, `node dist/bench/determinismCost.js ${process.argv.slice(2).join(" ")}`.trim());
}

if (turns > 0) report([await costPerRollout("HalfCheetah-v4"), await costPerRollout("Pong-v5")]);
if (trainTurns > 0) report([await costPerRun("CartPole-v1", 102_400), await costPerRun("HalfCheetah-v4", 61_440)]);
