import { type Audience, type EvaluatedEpisode, evaluatePolicy } from "../actor/evaluate.ts";
import type { PictureSize } from "../shared/environment.ts";
import { ChosenPolicy, type PolicyFlags } from "./chosenPolicy.ts";
import { checkAnimationFile } from "./recording/animationFile.ts";
import { Recording } from "./recording/recording.ts";

export interface EvaluateFlags extends PolicyFlags {
  readonly episodes: number;
  readonly seed: number;
  readonly sample?: boolean;
  readonly json?: boolean;
  readonly record?: string;
  readonly force?: boolean;
  readonly size: PictureSize;
  readonly fps: number;
}

/** Plays raw episodes (whole games, the environment's own score) of a policy, prints their statistics, records the first. */
export async function evaluateRun(flags: EvaluateFlags): Promise<number> {
  const { record, force = false, size, fps, json = false } = flags;
  const chosen = await ChosenPolicy.of(flags);
  if (record === undefined) {
    print(await play(flags, chosen), flags, chosen);
    return 0;
  }
  await checkAnimationFile(record, force);
  const recording = new Recording({ file: record, size, fps });
  try {
    const played = await play(flags, chosen, recording);
    await recording.finish();
    print(played, flags, chosen);
  } finally {
    await recording.abandon();
  }
  if (!json) process.stdout.write(`${record}: episode 1 in ${recording.frames} pictures\n`);
  return 0;
}

async function play(flags: EvaluateFlags, chosen: ChosenPolicy, audience?: Audience): Promise<EvaluatedEpisode[]> {
  const { episodes, seed, json = false } = flags;
  return evaluatePolicy({
    config: chosen.config,
    policy: (await chosen.read()).bytes,
    source: chosen.source,
    episodes,
    seed,
    deterministic: !flags.sample,
    onEpisode: ({ episode, return: score, length }) => {
      if (!json) process.stderr.write(`episode ${episode + 1}: return ${score.toFixed(2)}, ${length} agent steps\n`);
    },
    ...(audience && { audience }),
  });
}

function print(played: readonly EvaluatedEpisode[], flags: EvaluateFlags, { config }: ChosenPolicy): void {
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
  if (flags.json) {
    const recorded = flags.record === undefined ? {} : { recorded: flags.record };
    process.stdout.write(`${JSON.stringify({ event: "evaluated", ...summary, returns, ...recorded })}\n`);
    return;
  }
  const [average, deviation, low, high] = [mean, summary.std, summary.min, summary.max].map((x) => x.toFixed(2));
  process.stdout.write(
    `${config.env}, ${returns.length} episodes: mean ${average}, std ${deviation}, min ${low}, max ${high}\n`,
  );
}
