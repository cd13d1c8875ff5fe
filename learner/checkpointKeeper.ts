import { Backoff } from "../shared/backoff.ts";
import type { StoredCheckpoint } from "../shared/checkpointTransfer.ts";
import type { CoordinatorClient } from "../shared/coordinatorClient.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import type { LearnerMetrics } from "./metrics.ts";

interface Waiting {
  readonly checkpoint: StoredCheckpoint;
  readonly reported: Promise<void>;
}

/**
 * Gets checkpoints onto the coordinator's disk. If that fails (the coordinator is away, its disk is full) the newest is
 * held and tried again, with back-off, until it is stored or a newer one takes its place; training goes on.
 */
export class CheckpointKeeper {
  readonly #client: CoordinatorClient;
  readonly #log: Logger;
  readonly #metrics: LearnerMetrics;
  readonly #closed = new AbortController();
  #waiting: Waiting | null = null;
  #storing: Promise<void> | null = null;
  #lastProblem = "";
  #newer = new AbortController(); // aborts the wait between two attempts: a newer checkpoint need not wait for it

  constructor(client: CoordinatorClient, log: Logger, metrics: LearnerMetrics) {
    this.#client = client;
    this.#log = log;
    this.#metrics = metrics;
  }

  /**
   * Newest wins: one that is still waiting is forgotten. It is sent once `reported` resolves: a run that goes on from it
   * makes none of its updates again, so their reports must be stored before.
   */
  keep(checkpoint: StoredCheckpoint, reported: Promise<void>): void {
    if (this.#closed.signal.aborted) return; // superseded: nothing is to be stored
    this.#waiting = { checkpoint, reported };
    this.#metrics.checkpointBytes.set(checkpoint.bytes.length);
    this.#metrics.checkpointWaiting.set(1);
    this.#newer.abort();
    this.#newer = new AbortController();
    this.#storing ??= this.#store();
  }

  /** Resolves when nothing waits. Throws STORAGE if `signal` aborts first: the newest checkpoint is then lost. */
  async stored(signal: AbortSignal): Promise<void> {
    if (this.#storing === null) return;
    const given = new Promise<"given up">((resolve) => {
      if (signal.aborted) resolve("given up");
      signal.addEventListener("abort", () => resolve("given up"), { once: true });
    });
    const outcome = await Promise.race([this.#storing.then(() => "stored" as const), given]);
    if (outcome === "stored") return;
    const problem = `The checkpoint after update ${this.#waiting?.checkpoint.update} could not be stored: ${this.#lastProblem || "the coordinator has not stored the reports of its updates: it is away, or its disk is full"}.`;
    throw new OperatorError(
      "STORAGE",
      problem,
      "Mend the coordinator or its disk; the run resumes from the checkpoint before.",
    );
  }

  /** A checkpoint is not stored yet. */
  get waiting(): boolean {
    return this.#waiting !== null;
  }

  close(): void {
    this.#closed.abort();
    this.#newer.abort();
  }

  async #store(): Promise<void> {
    const backoff = new Backoff({ firstMs: 200, maxMs: 10_000 });
    while (this.#waiting !== null && !this.#closed.signal.aborted) {
      const waiting: Waiting = this.#waiting;
      const { checkpoint, reported } = waiting;
      await Promise.race([reported, aborted(this.#newer.signal)]);
      if (this.#waiting !== waiting || this.#closed.signal.aborted) continue;
      const problem = await this.#attempt(checkpoint);
      if (problem === null) {
        backoff.reset();
        if (this.#waiting === waiting) this.#waiting = null;
        continue;
      }
      this.#lastProblem = problem;
      this.#metrics.checkpointsFailed.inc();
      if (this.#closed.signal.aborted) break;
      this.#log.warn(`the checkpoint after update ${checkpoint.update} is not stored yet, trying again: ${problem}`);
      await backoff.wait(this.#newer.signal).catch(() => undefined); // a newer one, or closing: look again
    }
    this.#metrics.checkpointWaiting.set(this.#waiting === null ? 0 : 1);
    this.#storing = null;
  }

  /** null: stored; else why not. */
  async #attempt(checkpoint: StoredCheckpoint): Promise<string | null> {
    try {
      const reply = await this.#client.saveCheckpoint(checkpoint, { signal: this.#closed.signal, patienceMs: 0 });
      if (!reply.stored) return reply.refused;
      this.#metrics.checkpointsStored.inc();
      this.#log.info(`checkpoint after update ${checkpoint.update} stored, ${checkpoint.bytes.length} bytes`);
      return null;
    } catch (error) {
      return messageOf(error);
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
