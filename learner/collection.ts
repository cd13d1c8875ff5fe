import { OperatorError } from "../shared/errors.ts";
import type { Rollout } from "../shared/rollout.ts";
import type { LeaseActor } from "./leaseSession.ts";
import type { Answered, LeaseBook } from "./leases.ts";
import type { PolicyRef, RoundAssembly, Verdict } from "./rounds.ts";
import { UnansweredWork } from "./unansweredWork.ts";
import type { WaitClock } from "./waitClock.ts";

export interface CollectionOptions {
  readonly rounds: RoundAssembly;
  readonly leases: LeaseBook;
  readonly actorsWait: WaitClock;
  readonly envBatches: number;
  readonly now: () => number; // milliseconds, monotonic
  /** A lease had a good answer, first or not, so long after it was granted. */
  readonly onAnswered?: (seconds: number) => void;
}

/** The same piece of work failing in this many actors' environments, one after the other, is the environment's fault. */
const failuresAllowed = 3;

/**
 * The rounds and the leases together: every event that can change who may work on what comes through here, and ends by
 * granting what can be granted. Synchronous, so that no event sees half of another.
 */
export class Collection {
  readonly #options: CollectionOptions;
  readonly #failures = new Map<number, number>(); // EnvBatch -> failures of its present work
  readonly #unanswered = new UnansweredWork();
  #refused = 0;
  #stale = 0;
  #duplicates = 0;
  #backupsWon = 0;
  #wake: (() => void) | null = null;
  #failed: OperatorError | null = null;

  constructor(options: CollectionOptions) {
    this.#options = options;
  }

  join(actor: LeaseActor): void {
    this.#options.leases.join(actor);
    this.#settle();
  }

  /** Gives how many leases went back. */
  leave(actor: LeaseActor): number {
    const returned = this.#options.leases.leave(actor);
    this.#settle();
    return returned;
  }

  policyPublished(policy: PolicyRef): void {
    this.#options.rounds.policyPublished(policy);
    this.#settle();
  }

  /** An actor's answer to a lease, decoded and found well-formed. `answer` is told before anything new is leased. */
  offer(
    actor: LeaseActor,
    leaseId: number,
    rollout: Rollout,
    endStateDigest: string,
    answer: (verdict: Verdict, lease: Answered) => void = () => {},
  ): Verdict {
    const { leases, rounds, now } = this.#options;
    const to = now();
    const answered = leases.answered(actor, leaseId);
    const from = answered.lease?.granted ?? to; // a late answer to a lease that is over
    const verdict = rounds.offer(rollout, endStateDigest, { from, to });
    this.#count(verdict, answered);
    if (verdict.outcome === "taken" || (verdict.outcome === "stale" && verdict.advanced)) {
      leases.settled(rollout.key.envBatch, actor.id);
      this.#failures.delete(rollout.key.envBatch);
      this.#unanswered.answered(rollout.key.envBatch);
    }
    if (verdict.outcome === "refused") leases.failedOn(rollout.key.envBatch, actor.id);
    answer(verdict, answered);
    this.#settle();
    return verdict;
  }

  /** An actor's answer that could not be read: its lease goes back, other actors are asked first. */
  unreadable(actor: LeaseActor, leaseId: number, answer: () => void): void {
    this.#refused++;
    const { leases } = this.#options;
    const { lease } = leases.answered(actor, leaseId);
    if (lease !== null) leases.failedOn(lease.work.envBatch, actor.id);
    answer();
    this.#settle();
  }

  /** A lease that comes back unanswered. `failed`: the actor tried and could not, for `reason`. */
  returned(actor: LeaseActor, leaseId: number, reason: string, needState: boolean, failed: boolean): void {
    const { leases } = this.#options;
    const { lease, standing } = leases.answered(actor, leaseId);
    if (lease !== null && needState) leases.stateMissing(lease.work.envBatch, actor.id);
    if (lease !== null && failed && standing !== "outrun") this.#countFailure(lease.work.envBatch, actor.id, reason);
    this.#settle();
  }

  /** The actor is at its end (draining): what it holds it may finish, but it gets nothing more. */
  retire(actor: LeaseActor): void {
    this.#options.leases.retire(actor);
    this.#settle();
  }

  /** For reports: what is out, and what did not count since the run's process began. */
  counts(): Record<string, number> {
    const { leases } = this.#options;
    return {
      actors: leases.actors,
      leases_outstanding: leases.outstanding,
      leases_expired: leases.expired,
      backups_granted: leases.backups,
      backups_won: this.#backupsWon,
      rollouts_refused: this.#refused,
      rollouts_stale: this.#stale,
      rollouts_duplicate: this.#duplicates,
    };
  }

  expire(): number {
    const late = this.#options.leases.expire();
    for (const { work, actorId } of late) this.#unanswered.expired(work, actorId);
    this.#settle();
    return late.length;
  }

  /** Work that several actors were leased and none answered, or that nobody is left to take; one line each. */
  unanswered(): string[] {
    const { leases } = this.#options;
    return this.#unanswered.describe((envBatch) => leases.holds(envBatch));
  }

  pause(): void {
    this.#options.leases.pause();
    this.#settle();
  }
  resume(): void {
    this.#options.leases.resume();
    this.#settle();
  }

  /** Seconds from the first lease of the whole next round to its last answer. */
  collectSeconds(): number {
    return this.#options.rounds.collectMs() / 1000;
  }

  /** The whole next round. Rejects with the signal's reason, or with ENVIRONMENT when no actor can collect it. */
  async nextRound(signal: AbortSignal): Promise<Rollout[]> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#failed !== null) throw this.#failed;
      const rollouts = this.#options.rounds.round();
      if (rollouts !== null) return rollouts;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          signal.removeEventListener("abort", wake);
          resolve();
        };
        this.#wake = wake;
        signal.addEventListener("abort", wake);
      });
    }
  }

  /** The update on that round is done: its start states are no longer needed, later rounds may open. */
  trained(): void {
    this.#options.rounds.trained();
    this.#settle();
  }

  #count({ outcome }: Verdict, answered: Answered): void {
    const { leases, now, onAnswered } = this.#options;
    if (outcome === "taken" || outcome === "duplicate") leases.timed(answered);
    if (outcome === "taken" && answered.lease !== null) onAnswered?.((now() - answered.lease.granted) / 1000);
    if (outcome === "taken" && answered.lease?.backup) this.#backupsWon++;
    else if (outcome === "duplicate") this.#duplicates++;
    else if (outcome === "stale") this.#stale++;
    else if (outcome === "refused") this.#refused++;
  }

  #countFailure(envBatch: number, actorId: string, reason: string): void {
    const count = (this.#failures.get(envBatch) ?? 0) + 1;
    this.#failures.set(envBatch, count);
    this.#options.leases.failedOn(envBatch, actorId);
    if (count < failuresAllowed) return;
    const problem = `EnvBatch ${envBatch} failed ${count} times in a row, last in actor ${actorId}: ${reason}.`;
    this.#failed = new OperatorError("ENVIRONMENT", problem, "Mend the environment, then resume the run.");
  }

  #settle(): void {
    const { leases, actorsWait, envBatches } = this.#options;
    leases.dispatch();
    const useful = Math.min(leases.capacity, envBatches);
    actorsWait.set(useful === 0 ? 0 : Math.max(0, useful - leases.envBatches) / useful);
    this.#wake?.();
    this.#wake = null;
  }
}
