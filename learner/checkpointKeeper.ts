import { Backoff } from "../shared/backoff.ts";
import type { StoredCheckpoint } from "../shared/checkpointTransfer.ts";
import type { CoordinatorClient } from "../shared/coordinatorClient.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import type { LearnerMetrics } from "./metrics.ts";

interface Waiting {
  readonly checkpoint: StoredCheckpoint;
  readonly dropped: AbortController;
  reported: boolean;
}

/** For a learner that ends before everything is stored. */
export const remedyOfUnstored =
  "Nothing is lost: a learner that is started again goes on from the newest stored checkpoint and makes the same updates again. Mend the coordinator or its disk, or give more time (drainSeconds).";

/**
 * Gets checkpoints onto the coordinator's disk. While that is not possible (the coordinator is away, its disk is full)
 * two are held: the oldest, whose reports come first, and the newest. Were it the newest alone, reports that lag behind by
 * more than the time between two checkpoints would let none be stored. Of those whose reports are stored the newest is
 * tried, with back-off; training goes on.
 */
export class CheckpointKeeper {
  readonly #client: CoordinatorClient;
  readonly #log: Logger;
  readonly #metrics: LearnerMetrics;
  readonly #closed = new AbortController();
  #waiting: readonly Waiting[] = []; // oldest first, at most two
  #storing: Promise<void> | null = null;
  #lastProblem = "";
  #wake = new AbortController(); // a checkpoint's reports are stored: it need not wait for the one before it

  constructor(client: CoordinatorClient, log: Logger, metrics: LearnerMetrics) {
    this.#client = client;
    this.#log = log;
    this.#metrics = metrics;
  }

  /**
   * It is sent once `reported` resolves: a run that goes on from it makes none of its updates again, so their reports must
   * be stored before. `reported`'s signal aborts when nobody waits for that any more.
   */
  keep(checkpoint: StoredCheckpoint, reported: (dropped: AbortSignal) => Promise<void>): void {
    if (this.#closed.signal.aborted) return; // superseded: nothing is to be stored
    const waiting = { checkpoint, dropped: new AbortController(), reported: false };
    const [first, second] = this.#waiting;
    if (second !== undefined) this.#drop(second.reported ? first! : second);
    this.#waiting = [...this.#waiting, waiting];
    this.#metrics.checkpointBytes.set(checkpoint.bytes.length);
    this.#metrics.checkpointWaiting.set(1);
    void reported(waiting.dropped.signal).then(() => {
      waiting.reported = true;
      this.#wake.abort();
    });
    this.#storing ??= this.#store();
  }

  /**
   * Resolves when nothing waits. Throws BUSY if `signal` aborts first, with what is not recorded; a learner that is started
   * again makes it again. `backlog` says why reports are not stored.
   */
  async stored(signal: AbortSignal, backlog: () => string): Promise<void> {
    if (this.#storing === null) return;
    const given = new Promise<"given up">((resolve) => {
      if (signal.aborted) resolve("given up");
      signal.addEventListener("abort", () => resolve("given up"), { once: true });
    });
    const outcome = await Promise.race([this.#storing.then(() => "stored" as const), given]);
    const newest = this.#waiting.at(-1);
    if (outcome === "stored" || newest === undefined) return;
    const why = newest.reported ? this.#lastProblem || "the coordinator did not answer in time" : backlog();
    const problem = `The checkpoint after update ${newest.checkpoint.update} could not be stored within drainSeconds: ${why}.`;
    throw new OperatorError("BUSY", problem, remedyOfUnstored);
  }

  /** A checkpoint is not stored yet. */
  get waiting(): boolean {
    return this.#waiting.length > 0;
  }

  close(): void {
    this.#closed.abort();
    this.#wake.abort();
  }

  async #store(): Promise<void> {
    const backoff = new Backoff({ firstMs: 200, maxMs: 10_000 });
    while (this.#waiting.length > 0 && !this.#closed.signal.aborted) {
      const ready = this.#ready;
      if (ready === undefined) {
        await aborted(this.#sleep());
        continue;
      }
      for (const older of this.#waiting.slice(0, this.#waiting.indexOf(ready))) this.#drop(older);
      const { checkpoint } = ready;
      const problem = await this.#attempt(checkpoint);
      if (problem === null) {
        backoff.reset();
        this.#drop(ready);
        continue;
      }
      this.#lastProblem = problem;
      this.#metrics.checkpointsFailed.inc();
      if (this.#closed.signal.aborted) break;
      this.#log.warn(`the checkpoint after update ${checkpoint.update} is not stored yet, trying again: ${problem}`);
      if (this.#ready !== ready) continue; // a newer one became ready meanwhile
      await backoff.wait(this.#sleep()).catch(() => undefined); // one became ready, or closing: look again
    }
    this.#metrics.checkpointWaiting.set(this.#waiting.length > 0 ? 1 : 0);
    this.#storing = null;
  }

  /** The newest whose reports are stored. */
  get #ready(): Waiting | undefined {
    return this.#waiting.findLast(({ reported }) => reported);
  }

  /** Aborts when a checkpoint's reports are stored from now on, or with close(). */
  #sleep(): AbortSignal {
    this.#wake = new AbortController();
    if (this.#closed.signal.aborted) this.#wake.abort();
    return this.#wake.signal;
  }

  /** It is stored, or a newer one takes its place. */
  #drop(waiting: Waiting): void {
    this.#waiting = this.#waiting.filter((other) => other !== waiting);
    waiting.dropped.abort();
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
