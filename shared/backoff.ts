import { setTimeout as sleep } from "node:timers/promises";

export interface BackoffSettings {
  readonly firstMs: number; // upper bound of the first wait
  readonly maxMs: number; // upper bound of every wait
  readonly factor: number; // growth of the bound
  /** Uniform in [0, 1); tests fix it. */
  readonly random: () => number;
}

const defaults: BackoffSettings = { firstMs: 100, maxMs: 5_000, factor: 2, random: Math.random };

/**
 * Exponential back-off with full jitter: wait n is uniform in [0, min(maxMs, firstMs * factor^n)), so that many
 * processes which lost the same peer do not come back in step. One Backoff per peer; reset() after a success.
 */
export class Backoff {
  readonly #settings: BackoffSettings;
  #attempt = 0;

  constructor(settings: Partial<BackoffSettings> = {}) {
    this.#settings = { ...defaults, ...settings };
  }

  /** Waits handed out since the last reset. */
  get attempts(): number {
    return this.#attempt;
  }

  /** The next wait in milliseconds. */
  next(): number {
    const { firstMs, maxMs, factor, random } = this.#settings;
    const bound = Math.min(maxMs, firstMs * factor ** Math.min(this.#attempt, 60));
    this.#attempt++;
    return random() * bound;
  }

  reset(): void {
    this.#attempt = 0;
  }

  /** Sleeps the next wait; rejects with an AbortError as soon as `signal` aborts. The timer does not hold the process. */
  async wait(signal?: AbortSignal): Promise<void> {
    await sleep(this.next(), undefined, { ref: true, ...(signal ? { signal } : {}) });
  }
}

export interface RetrySettings extends Partial<BackoffSettings> {
  readonly signal?: AbortSignal;
  /** No new attempt starts after this long; Infinity: until `signal` aborts. */
  readonly patienceMs: number;
  /** Only errors for which this holds are tried again; others are thrown at once. */
  readonly retryable: (error: unknown) => boolean;
  /** Told of each failure that will be tried again. */
  readonly onRetry?: (error: unknown, attempt: number) => void;
}

/** Runs `attempt` until it succeeds, fails for good, patience ends (the last error is thrown) or `signal` aborts. */
export async function retry<T>(attempt: () => Promise<T>, settings: RetrySettings): Promise<T> {
  const { signal, patienceMs, retryable, onRetry, ...backoffSettings } = settings;
  const backoff = new Backoff(backoffSettings);
  const deadline = performance.now() + patienceMs;
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (!retryable(error) || performance.now() >= deadline) throw error;
      onRetry?.(error, backoff.attempts + 1);
      await backoff.wait(signal);
    }
  }
}
