export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** Lets go of the sources; the signal then never aborts. */
  readonly release: () => void;
}

/**
 * A signal that aborts with the first of `sources`, for waits that come again and again beside a signal that lives as
 * long as the process. AbortSignal.any is for the others: on Node 20 each call leaves an entry in every source that is
 * not aborted (github.com/nodejs/node/issues/54614; measured: 100 000 calls, 100 000 entries).
 */
export function linkedSignal(...sources: readonly AbortSignal[]): LinkedSignal {
  const linked = new AbortController();
  const listeners = sources.map((source) => ({ source, abort: (): void => linked.abort(source.reason) }));
  const release = (): void => {
    for (const { source, abort } of listeners) source.removeEventListener("abort", abort);
  };
  for (const { source, abort } of listeners) {
    if (source.aborted) abort();
    else source.addEventListener("abort", abort, { once: true });
  }
  return { signal: linked.signal, release };
}
