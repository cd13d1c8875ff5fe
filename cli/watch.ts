import { setTimeout as sleep } from "node:timers/promises";
import { EpisodePlayer, type PlayedStep } from "../actor/episodePlayer.ts";
import type { Picture, PictureSize } from "../shared/environment.ts";
import { OperatorError } from "../shared/errors.ts";
import { ChosenPolicy, type PolicyFlags } from "./chosenPolicy.ts";
import { Pace } from "./pace.ts";
import { type ImageOf, imageMaker, stillImage } from "./stillImage.ts";
import { WatchView } from "./watchView.ts";

export interface WatchFlags extends PolicyFlags {
  readonly fps: number;
  readonly size: PictureSize;
  readonly seed: number;
  readonly episodes?: number; // endless without
  readonly fast?: boolean;
  readonly sample?: boolean;
  readonly json?: boolean;
}

const policyPollMs = 1000;

/**
 * Plays episode after episode and writes what a page or a program can show: with --json one object per line, see
 * docs/policy.md. Takes up the run's newer policies. Ends, with status 0, by SIGTERM, SIGINT or when nobody reads any more.
 */
export async function watchPolicy(flags: WatchFlags): Promise<number> {
  const ending = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => ending.abort());
  process.stdout.once("error", () => ending.abort()); // EPIPE: the reader has gone
  const chosen = await ChosenPolicy.of(flags);
  const imageOf = await imageMaker();
  const policy = await chosen.read();
  const { config, source } = chosen;
  const settings = { config, policy: policy.bytes, source, seed: flags.seed, deterministic: !flags.sample };
  const player = await EpisodePlayer.make({ ...settings, lanes: 1 });
  try {
    const view = new WatchView(flags.json ?? false);
    await new Show({ flags, chosen, player, imageOf, view, ending: ending.signal }, policy.version).play();
  } finally {
    await player.close();
  }
  return 0;
}

interface Stage {
  readonly flags: WatchFlags;
  readonly chosen: ChosenPolicy;
  readonly player: EpisodePlayer;
  readonly imageOf: ImageOf;
  readonly view: WatchView;
  readonly ending: AbortSignal;
}

class Show {
  readonly #stage: Stage;
  readonly #pace: Pace;
  #version: number | null;
  #lookedMs = performance.now(); // for a newer policy
  #reward = 0; // raw, since the last frame

  constructor(stage: Stage, version: number | null) {
    this.#stage = stage;
    this.#version = version;
    this.#pace = new Pace(stage.flags.fps, stage.player.batch.presentation.secondsPerStep);
  }

  async play(): Promise<void> {
    const { flags, chosen, player, view, ending } = this.#stage;
    const { episodes = Number.POSITIVE_INFINITY } = flags;
    player.begin(0);
    if (flags.json && player.batch.render(0, flags.size) === null) throw cannotShow(chosen.config.env);
    view.watching(player.batch, this.#pace);
    view.policy(this.#version);
    for (let episode = 0; episode < episodes && !ending.aborted; episode++) await this.#playEpisode(episode);
  }

  async #playEpisode(episode: number): Promise<void> {
    const { flags, player, view, ending } = this.#stage;
    player.begin(episode);
    this.#reward = 0;
    for (let ended = false; !ended && !ending.aborted; ) {
      if (performance.now() - this.#lookedMs > policyPollMs) await this.#takeNewer();
      const due = player.step % this.#pace.stepsPerFrame === 0;
      const step = await player.advanceWatched({ lane: 0, picture: due && flags.json ? flags.size : null });
      this.#reward += step.reward;
      ended = step.ended !== null;
      if (step.picture !== null) await this.#show(step, step.picture);
      if (due && !flags.fast) await this.#waitForNext();
      if (ended) view.episode(step, this.#version);
    }
  }

  async #show(step: PlayedStep, picture: Picture): Promise<void> {
    const { imageOf, view } = this.#stage;
    view.frame(step, picture, await stillImage(picture, imageOf), this.#version, this.#reward);
    this.#reward = 0;
  }

  async #waitForNext(): Promise<void> {
    const { ending } = this.#stage;
    try {
      await sleep(this.#pace.waitMs(performance.now()), undefined, { signal: ending });
    } catch (error) {
      if (!ending.aborted) throw error;
    }
  }

  async #takeNewer(): Promise<void> {
    const { chosen, player, view } = this.#stage;
    this.#lookedMs = performance.now();
    if (!(await chosen.changed())) return;
    const { bytes, version } = await chosen.read();
    await player.usePolicy(bytes, chosen.source);
    this.#version = version;
    view.policy(version);
  }
}

export function cannotShow(env: string): OperatorError {
  const remedy = "Give its class a render(size) method: docs/environments.md says how.";
  return new OperatorError("ENVIRONMENT", `The environment ${env} draws no pictures.`, remedy);
}
