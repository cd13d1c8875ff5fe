import type { Rollout } from "../shared/rollout.ts";

/** [sum of raw rewards, agent steps] of one raw episode. */
export type EpisodeRecord = readonly [returned: number, length: number];

const windowSize = 100;

/** The newest raw episodes, in the order in which rounds are trained: the same for every fleet of actors. */
export class EpisodeWindow {
  #records: EpisodeRecord[];
  #count: number;

  constructor(records: readonly EpisodeRecord[] = [], count = 0) {
    this.#records = [...records];
    this.#count = count;
  }

  /** Episodes ended in all. */
  get count(): number {
    return this.#count;
  }
  get records(): readonly EpisodeRecord[] {
    return this.#records;
  }
  /** NaN: none yet. */
  get meanReturn(): number {
    return mean(this.#records.map(([returned]) => returned));
  }
  get meanLength(): number {
    return mean(this.#records.map(([, length]) => length));
  }

  /** Adds a round's episodes and gives them. */
  add(rollouts: readonly Rollout[]): EpisodeRecord[] {
    const added = rollouts.flatMap(({ episodes }) => episodes.map((e): EpisodeRecord => [e.return, e.length]));
    this.#records = [...this.#records, ...added].slice(-windowSize);
    this.#count += added.length;
    return added;
  }
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length;
}
