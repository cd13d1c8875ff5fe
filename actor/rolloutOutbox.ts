import type { Lease__Output as LeaseMessage } from "../proto/gen/anchorage/v1/Lease.ts";

export interface OfferedRollout {
  readonly work: string; // workOf its lease
  readonly generation: number;
  readonly leaseId: number;
  readonly message: Uint8Array; // an ActorMessage, encoded
}

/** What a lease asks for. Rollouts are deterministic: two leases on the same work have the same answer. */
export function workOf({ generation, env_batch, round, policy, state_digest }: LeaseMessage): string {
  return [generation, env_batch, round, policy?.digest, state_digest].join(" ");
}

/**
 * The rollouts of which the learner has not yet said what it makes of them. A stream that broke may have lost them on the
 * way, so the next stream to the same generation of the learner begins with them. Keeps the `most` newest.
 */
export class RolloutOutbox {
  readonly #most: number;
  readonly #waiting = new Map<string, OfferedRollout>(); // by work, oldest first

  constructor(most: number) {
    this.#most = most;
  }

  has(work: string): boolean {
    return this.#waiting.has(work);
  }

  /** Gives how many were dropped for it. */
  add(rollout: OfferedRollout): number {
    this.#waiting.delete(rollout.work);
    this.#waiting.set(rollout.work, rollout);
    if (this.#waiting.size <= this.#most) return 0;
    this.#waiting.delete(this.#waiting.keys().next().value!);
    return 1;
  }

  /** The learner's word on the rollout of this lease. */
  settled(generation: number, leaseId: number): void {
    for (const [work, rollout] of this.#waiting)
      if (rollout.leaseId === leaseId && rollout.generation === generation) this.#waiting.delete(work);
  }

  /** To be sent again to a learner of this generation; those of other generations are of no use to anyone: see `dropped`. */
  renew(generation: number): { readonly messages: Uint8Array[]; readonly dropped: number } {
    const before = this.#waiting.size;
    for (const [work, rollout] of this.#waiting) if (rollout.generation !== generation) this.#waiting.delete(work);
    const messages = [...this.#waiting.values()].map(({ message }) => message);
    return { messages, dropped: before - messages.length };
  }
}
