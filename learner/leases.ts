import type { Lateness } from "./lateness.ts";
import {
  type ActiveLease,
  free,
  hasIdleWorker,
  type LeaseActor,
  type LeaseSession,
  type OverdueLease,
  rank,
} from "./leaseSession.ts";
import type { Work } from "./rounds.ts";

/** What may be leased: RoundAssembly. */
export interface WorkSource {
  openWork(leased: ReadonlySet<number>): Work[];
}

/**
 * A lease as its answer finds it. held: in time. expired, outrun: taken away before, at its deadline or because another
 * actor answered first. unleased: this actor does not have it (it answered before, or is on another stream since).
 */
export interface Answered {
  readonly standing: "held" | OverdueLease["why"] | "unleased";
  readonly lease: { readonly work: Work; readonly granted: number; readonly backup: boolean } | null; // null: unleased
}

export interface LeaseBookOptions {
  readonly work: WorkSource;
  readonly leaseMs: number;
  /** Straggler insurance: when a lease is late; null: none, as where nobody waits for a straggler (policy lag async). */
  readonly lateness: Pick<Lateness, "afterMs" | "answered"> | null;
  readonly now: () => number; // milliseconds, monotonic
}

/**
 * Who collects what. No lease, no work: an actor never holds more leases than its capacity. A lease ends by its answer, its
 * return, its deadline, or its actor's leaving; then the EnvBatch is up again at once. An expired lease uses its actor's
 * credit until the actor answers or leaves, so a stuck one gets no more. An EnvBatch has one holder, and a second one only
 * as insurance: when its lease is late, nothing else waits to be leased, and another actor has nothing to do.
 */
export class LeaseBook {
  readonly #options: LeaseBookOptions;
  readonly #sessions = new Map<LeaseActor, LeaseSession>();
  readonly #active = new Map<number, ActiveLease>(); // by id, so in the order of granting
  readonly #holders = new Map<number, ActiveLease[]>(); // by EnvBatch: one, or one and its backup
  readonly #stateAt = new Map<number, string>(); // EnvBatch -> id of the actor that caches its newest state
  readonly #failed = new Map<number, string>(); // EnvBatch -> id of the actor that last failed on it: others first
  #nextId = 1;
  #paused = false;
  expired = 0;
  backups = 0;

  constructor(options: LeaseBookOptions) {
    this.#options = options;
  }

  get outstanding(): number {
    return this.#active.size;
  }
  /** EnvBatches that somebody works on. */
  get envBatches(): number {
    return this.#holders.size;
  }
  /** Seconds since the oldest outstanding lease was granted; 0: none is out. */
  get oldestSeconds(): number {
    const [oldest] = this.#active.values(); // in the order of granting
    return oldest === undefined ? 0 : (this.#options.now() - oldest.granted) / 1000;
  }
  holds(envBatch: number): boolean {
    return this.#holders.has(envBatch);
  }
  get actors(): number {
    return this.#sessions.size;
  }
  /** Sum of the connected actors' capacities. */
  get capacity(): number {
    return [...this.#sessions.values()].reduce((sum, { actor, retired }) => sum + (retired ? 0 : actor.capacity), 0);
  }

  /** An actor with the id of a connected one replaces it: the older stream is dead, whether noticed or not. */
  join(actor: LeaseActor): void {
    for (const other of [...this.#sessions.keys()]) if (other.id === actor.id) this.leave(other);
    this.#sessions.set(actor, { actor, active: new Set(), overdue: new Map(), retired: false });
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

  /** No further leases for this actor; it keeps what it has. */
  retire(actor: LeaseActor): void {
    const session = this.#sessions.get(actor);
    if (session !== undefined) session.retired = true;
  }

  /** The actor answered or returned this lease: its credit is free. Ids that it does not hold free nothing. */
  answered(actor: LeaseActor, leaseId: number): Answered {
    const session = this.#sessions.get(actor);
    const late = session?.overdue.get(leaseId);
    session?.overdue.delete(leaseId);
    if (late !== undefined) return { standing: late.why, lease: late.lease };
    const lease = this.#active.get(leaseId);
    if (lease === undefined || lease.session !== session) return { standing: "unleased", lease: null };
    this.#end(lease);
    return { standing: "held", lease };
  }

  /** That answer was a good rollout, first or not: what such a lease takes. */
  timed({ lease }: Answered): void {
    if (lease !== null) this.#options.lateness?.answered(this.#options.now() - lease.granted);
  }

  /** A rollout of this EnvBatch was taken from `actorId`: it caches the new state. Other leases on that work are moot. */
  settled(envBatch: number, actorId: string): void {
    this.#stateAt.set(envBatch, actorId);
    this.#failed.delete(envBatch);
    for (const moot of [...(this.#holders.get(envBatch) ?? [])])
      this.#takeAway(moot, "outrun", "another actor answered first");
  }

  /** The actor could not do this work: others are asked first. */
  failedOn(envBatch: number, actorId: string): void {
    this.#failed.set(envBatch, actorId);
  }

  /** The actor does not cache this EnvBatch's state: the next lease that it gets on it carries the bytes. */
  stateMissing(envBatch: number, actorId: string): void {
    if (this.#stateAt.get(envBatch) === actorId) this.#stateAt.delete(envBatch);
  }

  pause(): void {
    this.#paused = true;
  }
  resume(): void {
    this.#paused = false;
  }

  /** Takes overdue leases away; call `dispatch` afterwards. Gives what was whose. */
  expire(): { readonly work: Work; readonly actorId: string }[] {
    const now = this.#options.now();
    const late = [...this.#active.values()].filter((lease) => lease.deadline <= now);
    for (const lease of late) this.#takeAway(lease, "expired", `not answered within ${this.#options.leaseMs} ms`);
    this.expired += late.length;
    return late.map(({ work, session }) => ({ work, actorId: session.actor.id }));
  }

  /**
   * Grants all that can be granted: first to the actors that hold the states, as far as their workers are idle; then to
   * whoever has an idle worker, and what is left queues, best where its state is. So work spreads over late joiners.
   * Where nothing is left, late leases get their backup.
   */
  dispatch(): void {
    if (this.#paused || this.#sessions.size === 0) return;
    const open = this.#options.work.openWork(new Set(this.#holders.keys()));
    const rest = open.filter((work) => {
      const cache = this.#cacheOf(work);
      if (cache === undefined || !hasIdleWorker(cache)) return true;
      this.#grant(work, cache);
      return false;
    });
    let waiting = false;
    for (const work of rest) {
      const freest = this.#freest(work);
      const session = freest && hasIdleWorker(freest) ? freest : (this.#cacheOf(work) ?? freest);
      if (session !== undefined) this.#grant(work, session);
      else waiting = true;
    }
    if (!waiting) this.#insure();
  }

  #insure(): void {
    const afterMs = this.#options.lateness?.afterMs ?? null;
    if (afterMs === null) return;
    const before = this.#options.now() - afterMs;
    for (const lease of [...this.#active.values()]) {
      if (lease.granted > before) return; // the later ones are not late either
      if (this.#holders.get(lease.work.envBatch)!.length > 1) continue;
      const helper = this.#helper(lease, before);
      if (helper === undefined) continue;
      this.#grant(lease.work, helper, true);
      this.backups++;
    }
  }

  /** Another actor with nothing to do. One that is itself late, or has not yet answered for what it lost, insures nobody. */
  #helper({ work, session: straggler }: ActiveLease, before: number): LeaseSession | undefined {
    let best: LeaseSession | undefined;
    for (const session of this.#sessions.values()) {
      if (session === straggler || !hasIdleWorker(session) || this.#avoids(session, work)) continue;
      if ([...session.active].some((id) => this.#active.get(id)!.granted <= before)) continue;
      if (best === undefined || free(session) > free(best)) best = session;
    }
    return best;
  }

  #grant(work: Work, session: LeaseSession, backup = false): void {
    const id = this.#nextId++;
    const granted = this.#options.now();
    const lease = { id, work, session, granted, deadline: granted + this.#options.leaseMs, backup };
    this.#active.set(id, lease);
    this.#holders.set(work.envBatch, [...(this.#holders.get(work.envBatch) ?? []), lease]);
    session.active.add(id);
    const cached = this.#stateAt.get(work.envBatch) === session.actor.id;
    session.actor.grant({ id, work, withState: work.state !== null && !cached });
  }

  #takeAway(lease: ActiveLease, why: OverdueLease["why"], reason: string): void {
    this.#end(lease);
    lease.session.overdue.set(lease.id, { lease, why });
    lease.session.actor.revoke(lease.id, reason);
  }

  #end(lease: ActiveLease): void {
    this.#active.delete(lease.id);
    lease.session.active.delete(lease.id);
    const { envBatch } = lease.work;
    const left = this.#holders.get(envBatch)!.filter((other) => other !== lease);
    if (left.length > 0) this.#holders.set(envBatch, left);
    else this.#holders.delete(envBatch);
  }

  /** The actor failed on it, or has had this very work and was too slow: others first. */
  #avoids({ actor, overdue }: LeaseSession, { envBatch, round }: Work): boolean {
    if (this.#failed.get(envBatch) === actor.id) return true;
    for (const { lease } of overdue.values())
      if (lease.work.envBatch === envBatch && lease.work.round === round) return true;
    return false;
  }

  /** The actor that caches this work's state, if it may have it now. */
  #cacheOf(work: Work): LeaseSession | undefined {
    const actorId = this.#stateAt.get(work.envBatch);
    for (const session of this.#sessions.values())
      if (session.actor.id === actorId)
        return free(session) > 0 && session.overdue.size === 0 && !this.#avoids(session, work) ? session : undefined;
    return undefined;
  }

  /**
   * The session with the most free credit, one that owes answers to overdue leases only if no other has any. One that is
   * to be avoided gets it once no other one may come to have credit.
   */
  #freest(work: Work): LeaseSession | undefined {
    let best: LeaseSession | undefined;
    let avoided: LeaseSession | undefined;
    let othersWork = false;
    for (const session of this.#sessions.values()) {
      if (this.#avoids(session, work)) {
        if (free(session) > 0) avoided = session;
        continue;
      }
      othersWork ||= !session.retired && session.active.size > 0;
      if (free(session) > 0 && (best === undefined || rank(session) > rank(best))) best = session;
    }
    return best ?? (othersWork ? undefined : avoided);
  }
}
