import type { Work } from "./rounds.ts";

/** A lease as an actor gets it: credit for one rollout. */
export interface Lease {
  readonly id: number;
  readonly work: Work;
  readonly withState: boolean; // false: the actor returned the state itself and still caches it, or there is none
}

/** One connected actor. */
export interface LeaseActor {
  readonly id: string; // given by the coordinator; a reconnecting actor keeps it
  readonly capacity: number; // leases that it wants at once
  grant(lease: Lease): void;
  revoke(leaseId: number, reason: string): void;
}

/** A lease that is out. */
export interface ActiveLease {
  readonly id: number;
  readonly work: Work;
  readonly session: LeaseSession;
  readonly granted: number;
  readonly deadline: number;
  readonly backup: boolean; // straggler insurance: another actor's lease on the same work was late
}
/** One that was taken away, and is not yet answered. */
export interface OverdueLease {
  readonly lease: ActiveLease;
  readonly why: "expired" | "outrun";
}

/** One connected actor and what it holds. */
export interface LeaseSession {
  readonly actor: LeaseActor;
  readonly active: Set<number>;
  retired: boolean;
  readonly overdue: Map<number, OverdueLease>; // taken away, not yet answered: they still use up the actor's credit
}

/** Free credit, an idle worker's before what only queues; of those that owe an answer less than any other's. */
export function rank(session: LeaseSession): number {
  if (session.overdue.size > 0) return 1 - 1 / free(session);
  return free(session) + (hasIdleWorker(session) ? 0.5 : 0);
}

/** Actors ask for one lease more than they have workers: the last one only queues. */
export function hasIdleWorker({ actor, active, overdue, retired }: LeaseSession): boolean {
  return !retired && overdue.size === 0 && active.size < Math.max(1, actor.capacity - 1);
}

export function free(session: LeaseSession): number {
  return session.retired ? 0 : session.actor.capacity - session.active.size - session.overdue.size;
}
