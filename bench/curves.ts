import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { whyUnfinished } from "../cli/report/readRun.ts";
import { readSuite } from "../cli/suite/suiteFile.ts";
import { type PlannedRun, planSuite } from "../cli/suite/suitePlan.ts";
import { projectRoot } from "../shared/nativeParts.ts";
import { writeCurveOfRun } from "./curveFile.ts";
import { peersPython } from "./peers.ts";

/**
 * `node dist/bench/curves.js SUITE [--peer] [--side ours|peer] [--runs FOLDER] [--collect]`: makes the learning curves of a
 * suite that docs/results/SUITE lacks, seed by seed, and nothing twice: ours/ID.csv, and with --peer peer/ID.csv of the same
 * settings in PyTorch. Runs of ours lie in FOLDER (default runs/SUITE, where `anchorage suite` has them); one that is
 * finished there is only read, one that was interrupted is resumed. --collect: reads finished runs, starts none.
 */
const { values, positionals } = parseArgs({
  options: {
    peer: { type: "boolean", default: false },
    side: { type: "string" },
    runs: { type: "string" },
    collect: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
if (positionals.length !== 1) throw new Error("give one suite by its name or file, for example parity");
const suite = readSuite(positionals[0]!);
const runs = values.runs ?? join("runs", suite.name);
const results = join(projectRoot, "docs", "results", suite.name);
const sides = values.side === undefined ? ["ours", ...(values.peer ? ["peer"] : [])] : [values.side];

for (const run of await planSuite(suite, async () => undefined))
  for (const side of sides) {
    const file = join(results, side, `${run.id}.csv`);
    if (existsSync(file)) continue;
    if (side === "peer") await peerCurve(run, file);
    else if (side === "ours") await ourCurve(run, file);
    else throw new Error(`--side ${side} is neither ours nor peer`);
  }

async function ourCurve(run: PlannedRun, file: string): Promise<void> {
  const folder = join(runs, run.id);
  const begun = existsSync(join(folder, "state.json"));
  const unfinished = begun ? whyUnfinished(folder) : "not begun";
  if (unfinished !== null) {
    if (values.collect) return begun ? say(`${run.id}: ${unfinished}`) : undefined;
    const { env, algo, seed, ...settings } = run.given;
    const set = Object.entries(settings).flatMap(([field, value]) => ["--set", `${field}=${JSON.stringify(value)}`]);
    const asked = ["--env", String(env), "--algo", String(algo), "--seed", String(seed), ...set];
    const flags = ["--run-dir", folder, ...(begun ? ["--resume"] : asked)];
    await finished(process.execPath, [join(projectRoot, "dist/cli/main.js"), "train", ...flags]);
  }
  writeCurveOfRun(folder, file);
  say(file);
}

/** The peer knows PPO and ANO, by the same eps on both sides. */
async function peerCurve({ id, config, given }: PlannedRun, file: string): Promise<void> {
  const known = ["clip", "epsPos", "epsNeg", "totalSteps", "learningRate", "env", "algo", "seed"];
  const unknown = Object.keys(given).filter((field) => !known.includes(field));
  const eps = config.algo === "ppo" ? config.clip : config.epsPos;
  if (unknown.length > 0 || !["ppo", "ano"].includes(config.algo) || (config.algo === "ano" && eps !== config.epsNeg))
    throw new Error(`${id}: the peer cannot be run with ${JSON.stringify(given)}`);
  if (values.collect) return;
  const settings = {
    env: config.env,
    algo: config.algo,
    eps,
    "learning-rate": config.learningRate,
    seed: config.seed,
    steps: config.totalSteps,
    curve: file,
  };
  const flags = Object.entries(settings).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
  mkdirSync(join(file, ".."), { recursive: true });
  await finished(peersPython(), ["-W", "ignore", join(projectRoot, "bench/peers/torchMujoco.py"), ...flags]);
  say(file);
}

async function finished(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"] });
  const [status, signal] = await once(child, "exit");
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${signal ?? `status ${status}`}`);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
