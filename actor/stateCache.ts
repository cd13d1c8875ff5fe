/** Where an EnvBatch stands: the state at the start of one of its rounds. */
export interface StateKey {
  readonly envBatch: number;
  readonly round: number;
  readonly digest: string; // sha256 hex of the state
}

interface Entry {
  readonly key: StateKey;
  readonly state: Uint8Array;
}

/** A state that is not here crosses the network once more; 512 MB are those of 1500 EnvBatches of Atari games. */
const mostBytes = 512 * 1024 * 1024;

/**
 * The states that this actor itself returned, so that they need not cross the network again while it keeps the EnvBatch.
 * Per EnvBatch the last two rounds: the newest, and the one before in case its rollout has to be collected again. Beyond
 * `mostBytes` the EnvBatches that were not worked on for longest are forgotten: others have them by now.
 */
export class StateCache {
  readonly #states = new Map<number, readonly Entry[]>(); // by EnvBatch, least recently set first
  readonly #mostBytes: number;
  #bytes = 0;

  constructor(most = mostBytes) {
    this.#mostBytes = most;
  }

  get({ envBatch, round, digest }: StateKey): Uint8Array | null {
    const found = this.#states.get(envBatch)?.find(({ key }) => key.round === round && key.digest === digest);
    return found?.state ?? null;
  }

  set(key: StateKey, state: Uint8Array): void {
    const before = this.#states.get(key.envBatch) ?? [];
    const entries = [{ key, state }, ...before.filter((entry) => entry.key.round !== key.round)].slice(0, 2);
    this.#states.delete(key.envBatch);
    this.#states.set(key.envBatch, entries);
    this.#bytes += size(entries) - size(before);
    while (this.#bytes > this.#mostBytes && this.#states.size > 1) {
      const [oldest, forgotten] = this.#states.entries().next().value!;
      this.#states.delete(oldest);
      this.#bytes -= size(forgotten);
    }
  }
}

function size(entries: readonly Entry[]): number {
  return entries.reduce((sum, { state }) => sum + state.length, 0);
}
