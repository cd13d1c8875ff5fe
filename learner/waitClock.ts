/**
 * Seconds that something waits, as the integral of the share of it that waits: 0 busy, 1 all of it idle. Two of them,
 * one for the learner and one for the actors, are comparable: each is at most the wall time.
 */
export class WaitClock {
  readonly #now: () => number; // milliseconds, monotonic
  readonly #onSeconds: (seconds: number) => void;
  #share = 0;
  #since: number;
  #total = 0;

  constructor(now: () => number = () => performance.now(), onSeconds: (seconds: number) => void = () => {}) {
    this.#now = now;
    this.#onSeconds = onSeconds;
    this.#since = now();
  }

  /** From now on this share waits. */
  set(share: number): void {
    this.#advance();
    this.#share = share;
  }

  /** Seconds waited so far. */
  total(): number {
    this.#advance();
    return this.#total;
  }

  #advance(): void {
    const now = this.#now();
    const seconds = (this.#share * (now - this.#since)) / 1000;
    this.#since = now;
    if (seconds <= 0) return;
    this.#total += seconds;
    this.#onSeconds(seconds);
  }
}
