import type { PictureSize } from "../shared/environment.ts";
import { OperatorError } from "../shared/errors.ts";
import { EpisodePlayer, type PlayedStep, type PlayerSettings } from "./episodePlayer.ts";

export interface EvaluationSettings extends Omit<PlayerSettings, "lanes"> {
  readonly episodes: number;
  readonly onEpisode?: (episode: EvaluatedEpisode) => void;
  /** Shown each agent step of episode 0 while it lasts. */
  readonly audience?: Audience;
}

export interface EvaluatedEpisode {
  readonly episode: number; // from 0
  readonly return: number; // sum of raw rewards
  readonly length: number; // agent steps
}

export interface Audience {
  /** Before anything is played, with a picture of the first state (null: the environment draws none). */
  readonly begin: (player: EpisodePlayer) => Promise<void>;
  /** Size of the picture wanted for this agent step; null: none. */
  readonly pictureAt: (step: number) => PictureSize | null;
  readonly show: (step: PlayedStep) => Promise<void>;
}

/** Episodes played side by side. Always the same number, so that the results do not depend on how many are asked for. */
const lanes = 8;
const longestEpisode = 10_000_000;

/** Raw episodes as EpisodePlayer plays them. Rejects as it does, and with ENVIRONMENT where an episode does not end. */
export async function evaluatePolicy(settings: EvaluationSettings): Promise<EvaluatedEpisode[]> {
  const { episodes, onEpisode, audience } = settings;
  const player = await EpisodePlayer.make({ ...settings, lanes });
  const { batch } = player;
  const played: EvaluatedEpisode[] = [];
  try {
    for (let first = 0; first < episodes; first += lanes) {
      const wanted = Math.min(lanes, episodes - first);
      const ended = new Uint8Array(lanes);
      player.begin(first);
      if (first === 0) await audience?.begin(player);
      for (let open = wanted; open > 0; ) {
        if (player.step === longestEpisode) throw endless(settings.config.env);
        if (audience && first === 0 && ended[0] === 0)
          await audience.show(await player.advanceWatched({ lane: 0, picture: audience.pictureAt(player.step) }));
        else await player.advance();
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
    await player.close();
  }
  return played.sort((a, b) => a.episode - b.episode);
}

function endless(env: string): OperatorError {
  const problem = `An episode of ${env} did not end within ${longestEpisode} steps.`;
  return new OperatorError("ENVIRONMENT", problem, "Give the environment a spec.maxEpisodeSteps.");
}
