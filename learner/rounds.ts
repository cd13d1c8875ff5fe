import type { Rollout } from "../shared/rollout.ts";
import { actingVersion, type RunConfig, runShape } from "../shared/runConfig.ts";

/** An EnvBatch's complete environment state between two rollouts; immutable. */
export interface EnvState {
  readonly bytes: Uint8Array;
  readonly digest: string; // sha256 hex of bytes
}

export interface PolicyRef {
  readonly version: number;
  readonly digest: string; // sha256 hex of the snapshot's bytes
}

/** One rollout to collect. `state` is null in round 0: the environments are reset. */
export interface Work {
  readonly envBatch: number;
  readonly round: number;
  readonly policy: PolicyRef;
  readonly state: EnvState | null;
}

/** Where an EnvBatch stands: `round` is the next to collect, from `state`. */
export interface EnvBatchStart {
  readonly round: number;
  readonly state: EnvState | null;
}

export type StaleReason = "generation" | "round" | "policy" | "policy_lag";
/** The field of a rollout's key that is wrong. */
export type RolloutFault = "run" | "generation" | "env_batch" | "round" | "policy" | "policy_digest";

/** Why a rollout was not taken. `stale` and `duplicate` happen to honest actors; `refused` is the sender's mistake. */
export type Verdict =
  | { readonly outcome: "taken" }
  | { readonly outcome: "duplicate" }
  | { readonly outcome: "stale"; readonly reason: StaleReason; readonly advanced: boolean }
  | { readonly outcome: "refused"; readonly reason: RolloutFault; readonly explanation: string };

/** When its lease was granted and its answer taken; milliseconds. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** A taken rollout, and the state it started from: kept until it is trained on, because a checkpoint needs it. */
interface Piece {
  readonly start: EnvBatchStart;
  readonly span: Span;
  readonly rollout: Rollout;
}
interface Track {
  next: EnvBatchStart;
  untrained: Piece[]; // in round order
}

export interface RoundsOptions {
  readonly runId: string;
  readonly generation: () => number; // raised if the coordinator has this learner register again
  readonly config: RunConfig;
  readonly updatesDone: number;
  readonly starts: readonly EnvBatchStart[] | null; // from a checkpoint; null: a fresh run
}

/** Versions whose digests are remembered beyond use, so that a late rollout can be told from a wrong one. */
const rememberedVersions = 1024;

/**
 * Which rollouts may be collected, and which rollouts make the next update's round. Knows nothing of actors. Fixed lag:
 * round k is collected with version max(0, k - lag) once that version is published, the EnvBatch's state is known and
 * k <= updatesDone + lag; it is whole when every EnvBatch's rollout is there. Async: rollouts are numbered per EnvBatch,
 * use the newest version, and a round is the next `envBatches` rollouts that arrive. Either way the untrained rollouts
 * are bounded: by lag + 1 rounds, or by two.
 */
export class RoundAssembly {
  readonly #options: RoundsOptions;
  readonly #envBatches: number;
  readonly #rounds: number;
  readonly #tracks: Track[];
  readonly #published = new Map<number, string>();
  readonly #arrivals: Piece[] = []; // async only: untrained, in order of arrival
  #newest = -1;
  #updatesDone: number;

  constructor(options: RoundsOptions) {
    const shape = runShape(options.config);
    this.#options = options;
    this.#envBatches = shape.envBatches;
    this.#rounds = shape.rounds;
    this.#updatesDone = options.updatesDone;
    this.#tracks = Array.from({ length: shape.envBatches }, (_, b) => ({
      next: options.starts?.[b] ?? { round: 0, state: null },
      untrained: [],
    }));
  }

  get updatesDone(): number {
    return this.#updatesDone;
  }

  /** Rollouts taken and not yet trained on, those of a running update included. */
  get untrained(): number {
    return this.#tracks.reduce((sum, track) => sum + track.untrained.length, 0);
  }

  /** Opens the rounds that act with this version. */
  policyPublished(policy: PolicyRef): void {
    this.#published.set(policy.version, policy.digest);
    this.#newest = Math.max(this.#newest, policy.version);
    this.#published.delete(policy.version - rememberedVersions);
  }

  /**
   * What may be leased now, oldest round first, without the EnvBatches in `leased`. An EnvBatch's next rollout starts
   * where its last one ended, so there is at most one piece of work per EnvBatch.
   */
  openWork(leased: ReadonlySet<number>): Work[] {
    const open: Work[] = [];
    for (let b = 0; b < this.#tracks.length; b++) {
      if (leased.has(b)) continue;
      const { round, state } = this.#tracks[b]!.next;
      const version = this.#actingVersion(round);
      const digest = version === null ? undefined : this.#published.get(version);
      if (version !== null && digest !== undefined)
        open.push({ envBatch: b, round, policy: { version, digest }, state });
    }
    open.sort((a, b) => a.round - b.round || a.envBatch - b.envBatch);
    return this.#options.config.policyLag === "async"
      ? open.slice(0, Math.max(0, this.#asyncCredit(leased.size)))
      : open;
  }

  /** Takes the first valid rollout for each (EnvBatch, round); everything else is judged by its key alone. */
  offer(rollout: Rollout, endStateDigest: string, span: Span = { from: 0, to: 0 }): Verdict {
    const wrong = this.#wrongKey(rollout);
    if (wrong !== null) return wrong;
    const track = this.#tracks[rollout.key.envBatch]!;
    const start = track.next;
    const lag = this.#fillingRound() - rollout.key.policyVersion;
    track.next = { round: start.round + 1, state: { bytes: rollout.endState, digest: endStateDigest } };
    if (this.#options.config.policyLag === "async" && lag > this.#options.config.maxPolicyLag)
      return { outcome: "stale", reason: "policy_lag", advanced: true };
    // The state lives on in the track; the trainer does not need it, and may take the rollout's buffers away.
    const piece = { start, span, rollout: { ...rollout, endState: new Uint8Array(0) } };
    track.untrained.push(piece);
    if (this.#options.config.policyLag === "async") this.#arrivals.push(piece);
    return { outcome: "taken" };
  }

  /** The rollouts of update `updatesDone`, ordered by (EnvBatch, round); null: not all there yet. */
  round(): Rollout[] | null {
    const pieces = this.#roundPieces();
    if (pieces === null) return null;
    return pieces
      .map((piece) => piece.rollout)
      .sort((a, b) => a.key.envBatch - b.key.envBatch || a.key.round - b.key.round);
  }

  /** From the first lease of `round()` to its last answer, milliseconds. */
  collectMs(): number {
    const spans = (this.#roundPieces() ?? []).map((piece) => piece.span);
    return Math.max(...spans.map(({ to }) => to)) - Math.min(...spans.map(({ from }) => from));
  }

  /** The update on `round()` is done. */
  trained(): void {
    const pieces = this.#roundPieces();
    if (pieces === null) throw new Error(`round ${this.#updatesDone} was trained on before it was whole`);
    const done = new Set(pieces);
    for (const track of this.#tracks) track.untrained = track.untrained.filter((piece) => !done.has(piece));
    if (this.#options.config.policyLag === "async") this.#arrivals.splice(0, pieces.length);
    this.#updatesDone++;
  }

  /** Where each EnvBatch must start again if all untrained rollouts are dropped: what a checkpoint holds. */
  starts(): EnvBatchStart[] {
    return this.#tracks.map((track) => track.untrained[0]?.start ?? track.next);
  }

  #roundPieces(): Piece[] | null {
    if (this.#options.config.policyLag === "async")
      return this.#arrivals.length >= this.#envBatches ? this.#arrivals.slice(0, this.#envBatches) : null;
    const pieces = this.#tracks.map((track) => track.untrained[0]);
    return pieces.every((piece) => piece !== undefined && piece.start.round === this.#updatesDone)
      ? (pieces as Piece[])
      : null;
  }

  /** The version that collects `round` now; null: that round is not open. */
  #actingVersion(round: number): number | null {
    const { policyLag } = this.#options.config;
    if (policyLag === "async") return this.#newest < 0 ? null : this.#newest;
    if (round >= this.#rounds || round > this.#updatesDone + policyLag) return null;
    return actingVersion(round, policyLag);
  }

  /** Async: leases that may still go out so that at most two rounds wait or run, and none beyond the run's last. */
  #asyncCredit(leased: number): number {
    const inHand = this.#arrivals.length + leased;
    const left = (this.#rounds - this.#updatesDone) * this.#envBatches;
    return Math.min(2 * this.#envBatches, left) - inHand;
  }

  /** The update that a rollout arriving now will be part of. */
  #fillingRound(): number {
    return this.#updatesDone + Math.floor(this.#arrivals.length / this.#envBatches);
  }

  #wrongKey(rollout: Rollout): Verdict | null {
    const { key } = rollout;
    const { runId } = this.#options;
    const generation = this.#options.generation();
    if (key.runId !== runId) return refused("run", `run id is ${key.runId}, this learner trains ${runId}`);
    if (key.generation < generation) return { outcome: "stale", reason: "generation", advanced: false };
    if (key.generation > generation)
      return refused("generation", `generation is ${key.generation}, this learner's is ${generation}`);
    const track = this.#tracks[key.envBatch];
    if (track === undefined) return refused("env_batch", `EnvBatch ${key.envBatch} of ${this.#envBatches}`);
    const { round } = track.next;
    if (key.round < round) {
      const untrainedFrom = track.untrained[0]?.start.round ?? round;
      return key.round < untrainedFrom - 1
        ? { outcome: "stale", reason: "round", advanced: false }
        : { outcome: "duplicate" };
    }
    if (key.round > round)
      return refused("round", `EnvBatch ${key.envBatch} is in round ${round}, the rollout says ${key.round}`);
    return this.#wrongPolicy(rollout);
  }

  #wrongPolicy({ key }: Rollout): Verdict | null {
    const version = this.#actingVersion(key.round);
    const digest = this.#published.get(key.policyVersion);
    const async = this.#options.config.policyLag === "async";
    if (version === null || (!async && key.policyVersion > version) || (async && key.policyVersion > this.#newest))
      return refused(
        "policy",
        `version ${key.policyVersion} does not act in round ${key.round}, ${version ?? "nothing yet"} does`,
      );
    if (digest === undefined || (!async && key.policyVersion < version))
      return { outcome: "stale", reason: "policy", advanced: false };
    if (key.policyDigest !== digest)
      return refused(
        "policy_digest",
        `version ${key.policyVersion} has digest ${digest}, the rollout says ${key.policyDigest}`,
      );
    return null;
  }
}

function refused(reason: RolloutFault, explanation: string): Verdict {
  return { outcome: "refused", reason, explanation };
}
