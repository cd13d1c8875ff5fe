import type { EpisodeRandom } from "./environment.ts";
import { normalFrom, philox, stream, uniformFrom } from "./seeds.ts";

/**
 * The random numbers of one episode, block by block: draw i of episode k of the environment with seed s is the Philox
 * block (key s; counter i, k low, k high, stream.episode). `uniform` uses words 0 and 1 of a block, `normal` all four:
 * one block a draw, so the position is a count of draws. native/src/engine/random.h is its twin.
 */
export class PhiloxEpisodeRandom implements EpisodeRandom {
  readonly #seed: bigint;
  readonly #episode: number;
  #draws: number;
  readonly #words = new Uint32Array(4);

  /** `draws`: how many numbers of the episode were used before, to continue it. */
  constructor(seed: bigint, episode: number, draws = 0) {
    this.#seed = seed;
    this.#episode = episode;
    this.#draws = draws;
  }

  get draws(): number {
    return this.#draws;
  }

  uniform(): number {
    this.#next();
    return uniformFrom(this.#words[0]!, this.#words[1]!);
  }

  normal(): number {
    this.#next();
    const w = this.#words;
    return normalFrom(uniformFrom(w[0]!, w[1]!), uniformFrom(w[2]!, w[3]!));
  }

  #next(): void {
    const episodeHigh = Math.floor(this.#episode / 4294967296);
    philox(this.#seed, this.#draws++, this.#episode, episodeHigh, stream.episode, this.#words);
  }
}
