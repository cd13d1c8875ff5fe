/** Where an EnvBatch stands: the state at the start of one of its rounds. */
export interface StateKey {
  readonly envBatch: number;
  readonly round: number;
  readonly digest: string; // sha256 hex of the state
}

/**
 * The states that this actor itself returned, so that they need not cross the network again while it keeps the EnvBatch.
 * Per EnvBatch the last two rounds: the newest, and the one before in case its rollout has to be collected again.
 */
export class StateCache {
  readonly #states = new Map<number, { readonly key: StateKey; readonly state: Uint8Array }[]>();

  get({ envBatch, round, digest }: StateKey): Uint8Array | null {
    const found = this.#states.get(envBatch)?.find(({ key }) => key.round === round && key.digest === digest);
    return found?.state ?? null;
  }

  set(key: StateKey, state: Uint8Array): void {
    const others = (this.#states.get(key.envBatch) ?? []).filter((entry) => entry.key.round !== key.round);
    this.#states.set(key.envBatch, [{ key, state }, ...others].slice(0, 2));
  }
}
