import type { Work } from "./rounds.ts";

/** So many actors that do not answer the same work are hardly all slow by chance. */
const suspicious = 3;
/** Actors that are started again have new ids: no more of them are kept than are told. */
const actorsKept = 8;

/**
 * Work whose leases expired and which nobody has answered since. An environment that hangs looks like this, and so does a
 * fleet that was stopped for a while (SIGSTOP, a suspended host) and goes on: so it ends no run, but is told.
 */
export class UnansweredWork {
  readonly #work = new Map<number, { round: number; expiries: number; readonly actors: Set<string> }>(); // by EnvBatch

  expired({ envBatch, round }: Work, actorId: string): void {
    const known = this.#work.get(envBatch);
    const entry = known?.round === round ? known : { round, expiries: 0, actors: new Set<string>() };
    entry.expiries++;
    if (entry.actors.size < actorsKept) entry.actors.add(actorId);
    this.#work.set(envBatch, entry);
  }

  answered(envBatch: number): void {
    this.#work.delete(envBatch);
  }

  /** What several actors had, or one had and now nobody has. One line each: EnvBatch, round, actors, remedy. */
  describe(held: (envBatch: number) => boolean): string[] {
    return [...this.#work]
      .filter(([envBatch, { actors }]) => actors.size >= suspicious || !held(envBatch))
      .map(
        ([envBatch, { round, expiries, actors }]) =>
          `EnvBatch ${envBatch} of round ${round} was leased and not answered ${expiries} times, by ${[...actors].join(", ")}${held(envBatch) ? "" : "; no actor is free to take it"}. If these actors are not just stopped or cut off, the environment hangs: look at their logs, restart them, or raise leaseSeconds where a rollout takes longer.`,
      );
  }
}
