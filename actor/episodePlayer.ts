import { atariGames } from "../native/envBatch.ts";
import type { EnvBatch, EnvironmentSpec, Picture, PictureSize } from "../shared/environment.ts";
import type { RunConfig } from "../shared/runConfig.ts";
import { environmentSeed, stream } from "../shared/seeds.ts";
import { ActionSampler } from "./actionSampler.ts";
import { isModulePath, makeEnvBatch } from "./environments.ts";
import { Policy } from "./policy.ts";

export interface PlayerSettings {
  readonly config: Pick<RunConfig, "env" | "envOptions">;
  readonly policy: Uint8Array; // the ONNX snapshot's bytes
  readonly source: string; // names the policy in messages
  readonly lanes: number; // episodes played side by side
  readonly seed: number; // root of the episodes' seeds
  readonly deterministic: boolean; // the most likely action instead of a sample
}

/** A distribution over actions: [A] probabilities, or [A] means and standard deviations before any clipping. */
export type ActionDistribution =
  | { readonly kind: "discrete"; readonly probabilities: readonly number[] }
  | { readonly kind: "continuous"; readonly mean: readonly number[]; readonly std: readonly number[] };

/** One agent step of one lane. Picture, distribution and value are of the state that the action answers. */
export interface PlayedStep {
  readonly episode: number;
  readonly step: number; // of the episode, from 0
  readonly picture: Picture | null; // null: not asked for, or the environment draws none
  readonly distribution: ActionDistribution;
  readonly value: number; // V(s) in the learner's (scaled) reward units
  readonly action: number | readonly number[];
  readonly reward: number; // raw, of this step
  readonly returnSoFar: number; // raw, this step's included
  readonly ended: "terminated" | "truncated" | null; // the raw episode, with this step
}

export interface Watched {
  readonly lane: number;
  readonly picture: PictureSize | null; // null: none wanted
}

/**
 * Plays raw episodes (whole games, no reward shaping) of a policy, `lanes` of them side by side. Episode i is a function
 * of (seed, i, policy, lanes) alone, whether it is watched or not: its environment's seed is environmentSeed(seed, i,
 * stream.evaluation), its noise that of environment i under a seed of its own.
 */
export class EpisodePlayer {
  readonly batch: EnvBatch;
  readonly #sampler: ActionSampler;
  readonly #settings: PlayerSettings;
  readonly #returns: Float64Array; // raw, of the lanes' episodes so far
  #policy: Policy;
  #first = 0; // episode of lane 0
  #step = 0;

  private constructor(settings: PlayerSettings, batch: EnvBatch, policy: Policy) {
    const { lanes: size, seed, deterministic } = settings;
    this.batch = batch;
    this.#policy = policy;
    this.#settings = settings;
    this.#sampler = new ActionSampler({ action: batch.spec.action, size, seed: noiseSeed(seed), deterministic });
    this.#returns = new Float64Array(size);
  }

  /** Rejects as makeEnvBatch and Policy.load do. `begin` must follow. */
  static async make(settings: PlayerSettings): Promise<EpisodePlayer> {
    const { config, lanes, policy, source } = settings;
    const batch = await makeEnvBatch({ env: config.env, envOptions: rawOptions(config), size: lanes });
    try {
      return new EpisodePlayer(settings, batch, await Policy.load(policy, batch.spec, lanes, source));
    } catch (error) {
      batch.close();
      throw error;
    }
  }

  /** Agent steps played since `begin`. */
  get step(): number {
    return this.#step;
  }

  /** Lane i is at the start of episode `first` + i. */
  begin(first: number): void {
    const { lanes, seed } = this.#settings;
    const episodes = Array.from({ length: lanes }, (_, lane) => first + lane);
    this.batch.reset(BigUint64Array.from(episodes, (episode) => environmentSeed(seed, episode, stream.evaluation)));
    this.#sampler.environments.set(episodes);
    this.#returns.fill(0);
    this.#first = first;
    this.#step = 0;
  }

  /** Goes on with another policy from the next step on. Rejects as Policy.load does; the old one then stays. */
  async usePolicy(policy: Uint8Array, source: string): Promise<void> {
    const next = await Policy.load(policy, this.batch.spec, this.#settings.lanes, source);
    const before = this.#policy;
    this.#policy = next;
    await before.close();
  }

  /** One agent step of every lane. A lane whose episode ended goes on with another that counts for nothing. */
  async advance(): Promise<void> {
    await this.#decide();
    this.#act();
  }

  /** The same, and what one lane looked like. */
  async advanceWatched(watched: Watched): Promise<PlayedStep> {
    await this.#decide();
    const seen = this.#seen(watched);
    this.#act();
    return { ...seen, ...this.#outcome(watched.lane) };
  }

  async #decide(): Promise<void> {
    this.#sampler.steps.fill(this.#step);
    this.#policy.observe(this.batch.observations);
    await this.#policy.run();
    this.#sampler.sample(this.#policy);
  }

  #act(): void {
    const { batch } = this;
    batch.step(this.#sampler.actions);
    this.#step++;
    for (let lane = 0; lane < batch.size; lane++) this.#returns[lane]! += batch.rawRewards[lane]!;
  }

  #seen({ lane, picture }: Watched) {
    const { action } = this.batch.spec;
    return {
      episode: this.#first + lane,
      step: this.#step,
      picture: picture && this.batch.render(lane, picture),
      distribution: distributionOf(this.#policy, action, lane),
      value: this.#policy.values[lane]!,
      action: action.kind === "discrete" ? this.#sampler.actions[lane]! : row(this.#sampler.actions, lane, action),
    };
  }

  #outcome(lane: number) {
    const { batch } = this;
    const ended = batch.episodeEnded[lane] === 0 ? null : batch.truncated[lane] === 1 ? "truncated" : "terminated";
    return { reward: batch.rawRewards[lane]!, returnSoFar: this.#returns[lane]!, ended } as const;
  }

  async close(): Promise<void> {
    this.batch.close();
    await this.#policy.close();
  }
}

function distributionOf(policy: Policy, action: EnvironmentSpec["action"], lane: number): ActionDistribution {
  const preferences = row(policy.preferences, lane, action);
  if (policy.logStd !== null)
    return { kind: "continuous", mean: preferences, std: row(policy.logStd, lane, action).map(Math.exp) };
  const largest = Math.max(...preferences);
  const weights = preferences.map((logit) => Math.exp(logit - largest));
  const sum = weights.reduce((a, b) => a + b, 0);
  return { kind: "discrete", probabilities: weights.map((weight) => weight / sum) };
}

/** Row `lane` of an array [E, A]. */
function row(values: ArrayLike<number>, lane: number, action: EnvironmentSpec["action"]): number[] {
  const count = action.kind === "discrete" ? action.count : action.low.length;
  return Array.from({ length: count }, (_, a) => values[lane * count + a]!);
}

/** Whole games and the game's own score, whatever the run trained on. */
function rawOptions({ env, envOptions }: PlayerSettings["config"]): RunConfig["envOptions"] {
  const atari = !isModulePath(env) && atariGames().includes(env);
  return atari ? { ...envOptions, episodicLife: false, rewardSign: false } : envOptions;
}

/** Apart from the noise of training, also where both use the same seed. */
function noiseSeed(seed: number): number {
  return Number(environmentSeed(seed, 0xffffffff, stream.evaluation) & ((1n << 53n) - 1n));
}
