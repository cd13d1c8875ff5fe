import { atariGames } from "../native/envBatch.ts";
import { OperatorError } from "../shared/errors.ts";
import type { RunConfig } from "../shared/runConfig.ts";
import { environmentSeed, stream } from "../shared/seeds.ts";
import { ActionSampler } from "./actionSampler.ts";
import { isModulePath, makeEnvBatch } from "./environments.ts";
import { Policy } from "./policy.ts";

export interface EvaluationSettings {
  readonly config: Pick<RunConfig, "env" | "envOptions">;
  readonly policy: Uint8Array; // the ONNX snapshot's bytes
  readonly source: string; // names the policy in messages
  readonly episodes: number;
  readonly seed: number; // root of the episodes' seeds
  readonly deterministic: boolean; // the most likely action instead of a sample
  readonly onEpisode?: (episode: EvaluatedEpisode) => void;
}

export interface EvaluatedEpisode {
  readonly episode: number; // from 0
  readonly return: number; // sum of raw rewards
  readonly length: number; // agent steps
}

/** Episodes played side by side. Always the same number, so that the results do not depend on how many are asked for. */
const lanes = 8;
const longestEpisode = 10_000_000;

/**
 * Raw episodes (whole games, no reward shaping) of a policy. Episode i is a function of (seed, i, policy) alone: its
 * environment's seed is environmentSeed(seed, i, stream.evaluation), its noise that of environment i under a seed of
 * its own. Rejects as makeEnvBatch and Policy.load do, and with ENVIRONMENT where an episode does not end.
 */
export async function evaluatePolicy(settings: EvaluationSettings): Promise<EvaluatedEpisode[]> {
  const { config, policy: bytes, source, episodes, seed, deterministic, onEpisode } = settings;
  const batch = await makeEnvBatch({ env: config.env, envOptions: rawOptions(config), size: lanes });
  const policy = await Policy.load(bytes, batch.spec, lanes, source);
  const sampler = new ActionSampler({ action: batch.spec.action, size: lanes, seed: noiseSeed(seed), deterministic });
  const played: EvaluatedEpisode[] = [];
  try {
    for (let first = 0; first < episodes; first += lanes) {
      const wanted = Math.min(lanes, episodes - first);
      const ended = new Uint8Array(lanes);
      batch.reset(BigUint64Array.from(ended, (_, e) => environmentSeed(seed, first + e, stream.evaluation)));
      for (let e = 0; e < lanes; e++) sampler.environments[e] = first + e;
      for (let step = 0, open = wanted; open > 0; step++) {
        if (step === longestEpisode) throw endless(config.env);
        sampler.steps.fill(step);
        policy.observe(batch.observations);
        await policy.run();
        sampler.sample(policy);
        batch.step(sampler.actions);
        for (let e = 0; e < wanted; e++) {
          if (batch.episodeEnded[e] === 0 || ended[e] === 1) continue;
          ended[e] = 1;
          open--;
          const episode = { episode: first + e, return: batch.episodeReturns[e]!, length: batch.episodeLengths[e]! };
          played.push(episode);
          onEpisode?.(episode);
        }
      }
    }
  } finally {
    batch.close();
    await policy.close();
  }
  return played.sort((a, b) => a.episode - b.episode);
}

/** Whole games and the game's own score, whatever the run trained on. */
function rawOptions({ env, envOptions }: EvaluationSettings["config"]): RunConfig["envOptions"] {
  const atari = !isModulePath(env) && atariGames().includes(env);
  return atari ? { ...envOptions, episodicLife: false, rewardSign: false } : envOptions;
}

/** Apart from the noise of training, also where both use the same seed. */
function noiseSeed(seed: number): number {
  return Number(environmentSeed(seed, 0xffffffff, stream.evaluation) & ((1n << 53n) - 1n));
}

function endless(env: string): OperatorError {
  const problem = `An episode of ${env} did not end within ${longestEpisode} steps.`;
  return new OperatorError("ENVIRONMENT", problem, "Give the environment a spec.maxEpisodeSteps.");
}
