import type { UpdateReport } from "../proto/gen/anchorage/v1/UpdateReport.ts";
import type { CoordinatorClient } from "../shared/coordinatorClient.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import { isTooLarge } from "../shared/grpcErrors.ts";
import { maxMessageBytes } from "../shared/grpcOptions.ts";
import type { Logger } from "../shared/log.ts";
import type { PolicySnapshot } from "../shared/policySnapshot.ts";
import type { RunConfig } from "../shared/runConfig.ts";
import type { LearnerMetrics } from "./metrics.ts";

/**
 * Updates of an hour where one takes 0.4 s, of three minutes where there are 53 a second (CartPole). A report without its
 * policy is under a kilobyte beside its episodes.
 */
const defaultMostWaiting = 10_000;
/** The newest reports keep their episodes; hundreds of thousands of those of short episodes must not pile up. */
const episodesOf = 100;

/**
 * Delivers update reports in order. While the coordinator is away they wait; only the newest keeps its policy. None is
 * dropped for lack of room: room() is for waiting before more are made. One that can never be delivered is given up,
 * loudly, rather than let those behind it wait.
 */
export class UpdateReporter {
  readonly #client: CoordinatorClient;
  readonly #log: Logger;
  readonly #metrics: LearnerMetrics;
  readonly #mostWaiting: number;
  readonly #waiting: { readonly number: number; report: UpdateReport }[] = [];
  #added = 0;
  #done = 0;
  readonly #watching = new Set<{ readonly number: number; readonly delivered: () => void }>();
  readonly #closed = new AbortController();
  #sending: Promise<void> | null = null;

  constructor(client: CoordinatorClient, log: Logger, metrics: LearnerMetrics, mostWaiting = defaultMostWaiting) {
    this.#client = client;
    this.#log = log;
    this.#metrics = metrics;
    this.#mostWaiting = mostWaiting;
  }

  add(report: UpdateReport): void {
    if (this.#closed.signal.aborted) return; // superseded: nothing is to be stored
    // The first may be on its way: it is left as it is.
    if (report.policy !== undefined)
      for (const waiting of this.#waiting.slice(1)) waiting.report = withoutPolicy(waiting.report);
    this.#waiting.push({ number: ++this.#added, report });
    const older = this.#waiting.at(-1 - episodesOf);
    if (older !== undefined) older.report = { ...older.report, episodes: [] };
    this.#metrics.reportsWaiting.set(this.#waiting.length);
    this.#sending ??= this.#send();
  }

  /**
   * Resolves when every report added so far is on the coordinator's disk (or given up); never once closed, nor once
   * `unwatched` aborts: whoever does not wait for it any more is forgotten.
   */
  deliveredSoFar(unwatched?: AbortSignal): Promise<void> {
    return this.#deliveredUpTo(this.#added, unwatched);
  }

  #deliveredUpTo(number: number, unwatched?: AbortSignal): Promise<void> {
    return new Promise((delivered) => {
      const watch = { number, delivered };
      this.#watching.add(watch);
      unwatched?.addEventListener("abort", () => this.#watching.delete(watch), { once: true });
      this.#tellWatching();
    });
  }

  /** Resolves as soon as one more report may be added, or once `stop` aborts. */
  async room(stop: AbortSignal): Promise<void> {
    if (this.#waiting.length < this.#mostWaiting || stop.aborted) return;
    this.#log.error(
      `training waits: ${this.#waiting.length} update reports wait for the coordinator, which is away or has a full disk`,
    );
    while (this.#waiting.length >= this.#mostWaiting && !stop.aborted) {
      const over = new AbortController();
      const oldest = this.#waiting[0]!.number;
      await Promise.race([this.#deliveredUpTo(oldest, over.signal), aborted(stop, over.signal)]);
      over.abort();
    }
    this.#log.info("training goes on");
  }

  /** Resolves when all are delivered, or when closed. */
  async delivered(): Promise<void> {
    await this.#sending;
  }

  /** Reports that are not delivered yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** The updates that are not recorded yet, the first and the last; null: all are. */
  get unrecorded(): readonly [first: number, last: number] | null {
    const [first, last] = [this.#waiting[0], this.#waiting.at(-1)];
    return first && last ? [first.report.update ?? 0, last.report.update ?? 0] : null;
  }

  /** How many wait for `deliveredSoFar`. */
  get watched(): number {
    return this.#watching.size;
  }

  /** Reports that the coordinator answered for, or that were given up. */
  get done(): number {
    return this.#done;
  }

  close(): void {
    this.#closed.abort();
  }

  async #send(): Promise<void> {
    const { signal } = this.#closed;
    while (this.#waiting.length > 0 && !signal.aborted) {
      const { report } = this.#waiting[0]!;
      try {
        const reply = await this.#client.reportUpdate(report, { signal, patienceMs: Number.POSITIVE_INFINITY });
        if (!reply.accepted)
          this.#log.warn(`the coordinator refused the report of update ${report.update}: ${reply.refused}`);
      } catch (error) {
        if (signal.aborted) break;
        if (isTooLarge(error) && report.policy !== undefined) {
          this.#log.error(
            `the report of update ${report.update} is sent without its policy of ${report.policy.length} bytes, so the run folder's policy.onnx stays older: ${messageOf(error)}`,
          );
          this.#waiting[0]!.report = withoutPolicy(report);
          continue;
        }
        this.#log.error(`the report of update ${report.update} cannot be delivered: ${messageOf(error)}`);
        this.#metrics.reportsDropped.inc();
      }
      this.#waiting.shift();
      this.#done++;
      this.#metrics.reportsWaiting.set(this.#waiting.length);
      this.#tellWatching();
    }
    this.#sending = null;
  }

  #tellWatching(): void {
    const oldest = this.#waiting[0]?.number ?? Number.POSITIVE_INFINITY;
    for (const watch of this.#watching) {
      if (watch.number >= oldest) continue;
      this.#watching.delete(watch);
      watch.delivered();
    }
  }
}

/** Room in a report beside its policy: metrics, episodes, fingerprints. */
const besideThePolicy = 1024 * 1024;

/** For the start: throws CONFIG where this network's policies are too large for a report to the coordinator. */
export function checkReportable(policy: PolicySnapshot, network: RunConfig["network"]): void {
  const most = maxMessageBytes - besideThePolicy;
  if (policy.bytes.length <= most) return;
  const [field, value] =
    network.kind === "mlp"
      ? ["network.hidden", `[${network.hidden.join(", ")}]`]
      : ["network.units", String(network.units)];
  const problem = `${field}=${value} makes a policy of ${policy.bytes.length} bytes; a report to the coordinator carries at most ${most}.`;
  throw new OperatorError("CONFIG", problem, `Choose a smaller network (${field}).`);
}

/** Resolves once `signal` aborts; `unwatched`: nobody waits any more. */
function aborted(signal: AbortSignal, unwatched: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true, signal: unwatched });
  });
}

function withoutPolicy({ policy: _, ...rest }: UpdateReport): UpdateReport {
  return rest;
}
