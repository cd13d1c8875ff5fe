/**
 * One slot per rollout worker, given in the order of asking. Reports the time that slots were free: what the workers
 * waited for leases.
 */
export class WorkerSlots {
  readonly size: number;
  readonly #onIdle: (seconds: number) => void;
  readonly #waiting: (() => void)[] = [];
  #busy = 0;
  #since = performance.now();

  constructor(size: number, onIdle: (seconds: number) => void) {
    this.size = size;
    this.#onIdle = onIdle;
  }

  get busy(): number {
    return this.#busy;
  }

  /** Reports the idle time up to now; metrics call it before they are read. */
  account(): void {
    const now = performance.now();
    this.#onIdle(((this.size - this.#busy) * (now - this.#since)) / 1000);
    this.#since = now;
  }

  /** Rejects with the signal's reason if it aborts before a slot is free. */
  async acquire(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#busy < this.size) {
      this.account();
      this.#busy++;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const take = (): void => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(take), 1);
        reject(signal.reason);
      };
      this.#waiting.push(take);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) return next(); // the slot changes hands without being idle
    this.account();
    this.#busy--;
  }
}
