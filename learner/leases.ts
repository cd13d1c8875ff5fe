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

/** What may be leased: RoundAssembly. */
export interface WorkSource {
  openWork(leased: ReadonlySet<number>): Work[];
}

interface Active {
  readonly id: number;
  readonly work: Work;
  readonly session: Session;
  readonly granted: number;
  readonly deadline: number;
}
interface Session {
  readonly actor: LeaseActor;
  readonly active: Set<number>;
  retired: boolean;
  readonly overdue: Set<number>; // taken away, not yet answered: they still use up the actor's credit
}

export interface LeaseBookOptions {
  readonly work: WorkSource;
  readonly leaseMs: number;
  readonly now: () => number; // milliseconds, monotonic
}

/**
 * Who collects what. No lease, no work: an actor never holds more leases than its capacity, an EnvBatch is never leased
 * twice at once. A lease ends by its answer, its return, its deadline, or its actor's leaving; then the EnvBatch is up
 * again at once. An expired lease uses its actor's credit until the actor answers or leaves, so a stuck one gets no more.
 */
export class LeaseBook {
  readonly #options: LeaseBookOptions;
  readonly #sessions = new Map<LeaseActor, Session>();
  readonly #active = new Map<number, Active>();
  readonly #byEnvBatch = new Map<number, Active>();
  readonly #holder = new Map<number, string>(); // EnvBatch -> id of the actor that caches its newest state
  readonly #failed = new Map<number, string>(); // EnvBatch -> id of the actor that last failed on it: others first
  #nextId = 1;
  #paused = false;
  expired = 0;

  constructor(options: LeaseBookOptions) {
    this.#options = options;
  }

  get outstanding(): number {
    return this.#active.size;
  }
  get actors(): number {
    return this.#sessions.size;
  }
  /** Sum of the connected actors' capacities. */
  get capacity(): number {
    return sum(this.#sessions.values(), ({ actor, retired }) => (retired ? 0 : actor.capacity));
  }

  /** An actor with the id of a connected one replaces it: the older stream is dead, whether noticed or not. */
  join(actor: LeaseActor): void {
    for (const other of [...this.#sessions.keys()]) if (other.id === actor.id) this.leave(other);
    this.#sessions.set(actor, { actor, active: new Set(), overdue: new Set(), retired: false });
  }

  /** Its leases go back at once. Gives how many those were. Leaving twice is harmless: streams end in several ways. */
  leave(actor: LeaseActor): number {
    const session = this.#sessions.get(actor);
    if (session === undefined) return 0;
    const given = session.active.size;
    for (const id of [...session.active]) this.#end(this.#active.get(id)!);
    this.#sessions.delete(actor);
    return given;
  }

  /** The EnvBatch of a lease that this actor holds; null: it does not, or no longer. */
  envBatchOf(actor: LeaseActor, leaseId: number): number | null {
    const lease = this.#active.get(leaseId);
    return lease?.session.actor === actor ? lease.work.envBatch : null;
  }

  /** When this lease was granted; null: it is over. */
  grantedAt(leaseId: number): number | null {
    return this.#active.get(leaseId)?.granted ?? null;
  }

  /** No further leases for this actor; it keeps what it has. */
  retire(actor: LeaseActor): void {
    const session = this.#sessions.get(actor);
    if (session !== undefined) session.retired = true;
  }

  /** The actor answered or returned this lease: its credit is free. Unknown ids (an older stream's) free nothing. */
  answered(actor: LeaseActor, leaseId: number): void {
    const session = this.#sessions.get(actor);
    if (session === undefined) return;
    session.overdue.delete(leaseId);
    const lease = this.#active.get(leaseId);
    if (lease?.session === session) this.#end(lease);
  }

  /** A rollout of this EnvBatch was taken from `actorId`: it caches the new state. A lease on it that others hold is moot. */
  settled(envBatch: number, actorId: string): void {
    this.#holder.set(envBatch, actorId);
    this.#failed.delete(envBatch);
    const moot = this.#byEnvBatch.get(envBatch);
    if (moot !== undefined) this.#takeAway(moot, "another actor answered first");
  }

  /** The actor could not do this work: others are asked first. */
  failedOn(envBatch: number, actorId: string): void {
    this.#failed.set(envBatch, actorId);
  }

  /** The actor's cache lost this EnvBatch's state: the next lease carries the bytes. */
  forgetHolder(envBatch: number): void {
    this.#holder.delete(envBatch);
  }

  pause(): void {
    this.#paused = true;
  }
  resume(): void {
    this.#paused = false;
  }

  /** Takes overdue leases away; call `dispatch` afterwards. Gives how many. */
  expire(): number {
    const now = this.#options.now();
    const late = [...this.#active.values()].filter((lease) => lease.deadline <= now);
    for (const lease of late) this.#takeAway(lease, `not answered within ${this.#options.leaseMs} ms`);
    this.expired += late.length;
    return late.length;
  }

  /** Grants all that can be granted: first to the actors that hold the states, then to those with the most free credit. */
  dispatch(): void {
    if (this.#paused || this.#sessions.size === 0) return;
    const open = this.#options.work.openWork(new Set(this.#byEnvBatch.keys()));
    const rest = open.filter((work) => {
      const holder = this.#sessionOf(this.#holder.get(work.envBatch));
      if (holder === undefined || free(holder) === 0 || this.#failed.get(work.envBatch) === holder.actor.id)
        return true;
      this.#grant(work, holder);
      return false;
    });
    for (const work of rest) {
      const session = this.#freest(this.#failed.get(work.envBatch));
      if (session !== undefined) this.#grant(work, session);
    }
  }

  #grant(work: Work, session: Session): void {
    const id = this.#nextId++;
    const granted = this.#options.now();
    const lease = { id, work, session, granted, deadline: granted + this.#options.leaseMs };
    this.#active.set(id, lease);
    this.#byEnvBatch.set(work.envBatch, lease);
    session.active.add(id);
    const cached = this.#holder.get(work.envBatch) === session.actor.id;
    session.actor.grant({ id, work, withState: work.state !== null && !cached });
  }

  #takeAway(lease: Active, reason: string): void {
    this.#end(lease);
    lease.session.overdue.add(lease.id);
    lease.session.actor.revoke(lease.id, reason);
  }

  #end(lease: Active): void {
    this.#active.delete(lease.id);
    lease.session.active.delete(lease.id);
    if (this.#byEnvBatch.get(lease.work.envBatch) === lease) this.#byEnvBatch.delete(lease.work.envBatch);
  }

  #sessionOf(actorId: string | undefined): Session | undefined {
    if (actorId === undefined) return undefined;
    for (const session of this.#sessions.values()) if (session.actor.id === actorId) return session;
    return undefined;
  }

  /** The session with the most free credit, but not `avoid` as long as another one may come to have some. */
  #freest(avoid: string | undefined): Session | undefined {
    let best: Session | undefined;
    let avoided: Session | undefined;
    let othersWork = false;
    for (const session of this.#sessions.values()) {
      if (session.actor.id === avoid) {
        if (free(session) > 0) avoided = session;
        continue;
      }
      othersWork ||= !session.retired && session.active.size > 0;
      if (free(session) > 0 && (best === undefined || free(session) > free(best))) best = session;
    }
    return best ?? (othersWork ? undefined : avoided);
  }
}

function free(session: Session): number {
  return session.retired ? 0 : session.actor.capacity - session.active.size - session.overdue.size;
}

function sum<T>(items: Iterable<T>, of: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += of(item);
  return total;
}
