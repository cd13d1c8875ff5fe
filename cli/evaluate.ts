import { evaluatePolicy } from "../actor/evaluate.ts";
import { ChosenPolicy, type PolicyFlags } from "./chosenPolicy.ts";

export interface EvaluateFlags extends PolicyFlags {
  readonly episodes: number;
  readonly seed: number;
  readonly sample?: boolean;
  readonly json?: boolean;
}

/** Plays raw episodes (whole games, the environment's own score) of a policy and prints their statistics. */
export async function evaluateRun(flags: EvaluateFlags): Promise<number> {
  const { episodes, seed, json = false } = flags;
  const chosen = await ChosenPolicy.of(flags);
  const { config, source } = chosen;
  const played = await evaluatePolicy({
    config,
    policy: (await chosen.read()).bytes,
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
