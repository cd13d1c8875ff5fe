export interface LatenessOptions {
  readonly factor: number; // times the median that a lease may take before it is late
  readonly leaseMs: number;
}

/** Leases that the median is taken over; fewer than `needed` say too little. */
const kept = 64;
const needed = 8;
/** A rollout of milliseconds that waits for a garbage collection is not worth a second actor. */
const floorMs = 1000;
/** Of a lease's time: later, a second actor would hardly be faster than the lease's end. */
const share = 0.5;
/** Where that share is no further than this above the median, late is what is usual, and nothing counts as late. */
const leastFactor = 1.5;

/**
 * When a lease is late: `factor` times the median of the newest answered ones (from the grant to the answer, so the wait
 * for a worker and for the policy is in it), at least a second, at most half a lease. Environments that are slow as a whole
 * raise the median and are never late.
 */
export class Lateness {
  readonly #options: LatenessOptions;
  readonly #recent: number[] = []; // milliseconds, newest last
  #afterMs: number | null = null;

  constructor(options: LatenessOptions) {
    this.#options = options;
  }

  /** Milliseconds from the grant; null: unknown yet, or the lease is too short to tell late from usual. */
  get afterMs(): number | null {
    return this.#afterMs;
  }

  /** A lease was answered, on time or not, after this long. */
  answered(ms: number): void {
    this.#recent.push(ms);
    if (this.#recent.length > kept) this.#recent.shift();
    if (this.#recent.length < needed) return;
    const sorted = [...this.#recent].sort((a, b) => a - b);
    const median = sorted[sorted.length >> 1]!;
    const most = share * this.#options.leaseMs;
    this.#afterMs =
      median * leastFactor > most ? null : Math.min(most, Math.max(floorMs, this.#options.factor * median));
  }
}
