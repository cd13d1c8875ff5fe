import { readFileSync } from "node:fs";
import { join } from "node:path";
import { evaluatePolicy } from "../actor/evaluate.ts";
import { readStoredPolicy } from "../coordinator/policyFile.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import { RunConfig } from "../shared/runConfig.ts";

export interface EvaluateFlags {
  readonly runDir: string;
  readonly episodes: number;
  readonly seed: number;
  readonly sample?: boolean;
  readonly json?: boolean;
}

/** Plays raw episodes (whole games, the environment's own score) of a run's newest policy and prints their statistics. */
export async function evaluateRun(flags: EvaluateFlags): Promise<number> {
  const { runDir, episodes, seed, json = false } = flags;
  const source = join(runDir, "policy.onnx");
  const config = storedConfig(runDir);
  const played = await evaluatePolicy({
    config,
    policy: await readStoredPolicy(runDir, warn),
    source,
    episodes,
    seed,
    deterministic: !flags.sample,
    onEpisode: ({ episode, return: score, length }) => {
      if (!json) process.stderr.write(`episode ${episode + 1}: return ${score.toFixed(2)}, ${length} agent steps\n`);
    },
  });
  const returns = played.map((episode) => episode.return);
  const mean = returns.reduce((a, b) => a + b, 0) / returns.length;
  const variance = returns.reduce((sum, r) => sum + (r - mean) ** 2, 0) / Math.max(1, returns.length - 1);
  const summary = {
    env: config.env,
    episodes: returns.length,
    actions: flags.sample ? "sampled" : "deterministic",
    mean,
    std: Math.sqrt(variance), // unbiased variance
    min: Math.min(...returns),
    max: Math.max(...returns),
  };
  if (json) process.stdout.write(`${JSON.stringify({ event: "evaluated", ...summary, returns })}\n`);
  else {
    const [average, deviation, low, high] = [mean, summary.std, summary.min, summary.max].map((x) => x.toFixed(2));
    process.stdout.write(
      `${config.env}, ${episodes} episodes: mean ${average}, std ${deviation}, min ${low}, max ${high}\n`,
    );
  }
  return 0;
}

const warn = (what: string): void => void process.stderr.write(`anchorage: ${what}\n`);

function storedConfig(runDir: string): RunConfig {
  const file = join(runDir, "config.json");
  const text = read(file, runDir);
  try {
    return RunConfig.parse(JSON.parse(text));
  } catch (cause) {
    const problem = `${file} is no run config of this build: ${messageOf(cause)}.`;
    const remedy = "Restore the file, or use the build that wrote it (run.json names it).";
    throw new OperatorError("CORRUPT", problem, remedy, { cause });
  }
}

function read(file: string, runDir: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const problem = `${file} cannot be read: ${messageOf(cause)}.`;
    const remedy = `Is ${runDir} a run folder?`;
    throw new OperatorError("STORAGE", problem, remedy, { cause });
  }
}
