import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import type { ActorMessage__Output as ActorMessage } from "../proto/gen/anchorage/v1/ActorMessage.ts";
import type { Hello__Output as Hello } from "../proto/gen/anchorage/v1/Hello.ts";
import type { LearnerMessage } from "../proto/gen/anchorage/v1/LearnerMessage.ts";
import type { ReturnLease__Output as ReturnLease } from "../proto/gen/anchorage/v1/ReturnLease.ts";
import type { Rollout__Output as RolloutMessage } from "../proto/gen/anchorage/v1/Rollout.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { type PortRefusals, quoted, type RefusalReason } from "../shared/portRefusals.ts";
import { returnReason } from "../shared/returnReason.ts";
import type { Rollout } from "../shared/rollout.ts";
import { rolloutBytes } from "../shared/rolloutCodec.ts";
import { TokenBucket } from "../shared/tokenBucket.ts";
import type { Admission } from "./admission.ts";
import type { Collection } from "./collection.ts";
import type { Lease, LeaseActor } from "./leaseSession.ts";
import type { Answered } from "./leases.ts";
import { type LearnerMetrics, type RefusalReason as RolloutRefusal, refusalReasons } from "./metrics.ts";
import type { Verdict } from "./rounds.ts";

export type CollectStream = ServerDuplexStream<ActorMessage, LearnerMessage>;

export interface IngestOptions {
  readonly runId: string;
  readonly generation: () => number;
  readonly leaseMs: number;
  readonly admission: Admission;
  readonly collection: Collection;
  /** Checks every field; throws what is wrong. Only called after the first hello, which brings the spec. */
  readonly decode: (message: RolloutMessage) => Rollout;
  readonly needPolicy: (version: number) => boolean;
  readonly metrics: LearnerMetrics;
  readonly refusals: PortRefusals;
  /** A stream's hello must have come by then. */
  readonly helloMs?: number;
  readonly log: Logger;
}

/** An actor that sends this many bad rollouts without a good one between them is sent away. */
const badRolloutsAllowed = 3;

/** Ours send it as soon as they are connected. */
const defaultHelloMs = 10_000;
/**
 * Answers beyond the leases that were given on this stream: a link that broke and came back brings those of the stream
 * before. Refilled slowly, so that a fleet on a bad network is not cut.
 */
const spareCredit = 1_024;
const spareCreditPerSecond = 1;
/** Of an actor that has many workers and finds none of its policies. */
const needsBurst = 200;
const needsPerSecond = 10;

/** The rounds' verdict, or that the bytes could not be read. */
type Judgement =
  | Verdict
  | { readonly outcome: "refused"; readonly reason: RolloutRefusal; readonly explanation: string };

interface Session extends LeaseActor {
  readonly peer: string;
  readonly spare: TokenBucket;
  readonly needs: TokenBucket;
  credit: number; // leases given and not answered on this stream
  readonly fingerprint: string; // JSON
  badInARow: number;
}

/**
 * The Collect streams, one per actor: translates messages, counts, and tells the Collection. A stream's end, however it
 * comes, gives the actor's leases back and says nothing about whether its work was finished.
 */
export class Ingest {
  readonly #options: IngestOptions;
  readonly #streams = new Map<CollectStream, Session | null>(); // null: no hello yet

  constructor(options: IngestOptions) {
    this.#options = options;
  }

  /** gRPC's handler of Learner.Collect. */
  readonly collect = (stream: CollectStream): void => {
    this.#streams.set(stream, null);
    const { helloMs = defaultHelloMs } = this.#options;
    const helloTimer = setTimeout(() => {
      if (this.#streams.get(stream) === null)
        this.#refuse(stream, "slow", status.DEADLINE_EXCEEDED, `no hello came within ${helloMs} ms`);
    }, helloMs).unref();
    stream.once("close", () => clearTimeout(helloTimer));
    stream.on("data", (message: ActorMessage) => {
      try {
        this.#receive(stream, message);
      } catch (error) {
        this.#options.log.error({ err: error }, `a message of ${stream.getPeer()} could not be handled`);
        this.#fail(stream, status.INTERNAL, messageOf(error));
      }
    });
    for (const gone of ["end", "cancelled", "error", "close"]) stream.on(gone, () => this.#gone(stream, gone));
  };

  /** Nothing will be leased any more by this process; `finished`: nor by any other, the actors may exit. */
  drain(reason: string, finished: boolean): void {
    this.#options.collection.pause();
    for (const stream of [...this.#streams.keys()]) {
      stream.write({ drain: { reason, finished } });
      this.#gone(stream, reason);
      stream.end();
    }
  }

  #receive(stream: CollectStream, message: ActorMessage): void {
    const session = this.#streams.get(stream);
    if (session === undefined) return; // it was ended; what was already on its way does not count
    if (message.hello) {
      if (session === null) return this.#hello(stream, message.hello);
      return this.#refuse(stream, "protocol", status.INVALID_ARGUMENT, "hello came twice");
    }
    if (session === null)
      return this.#refuse(
        stream,
        "protocol",
        status.INVALID_ARGUMENT,
        `the first message must be hello, not ${message.message}`,
      );
    if (!this.#mayPay(session, message))
      return this.#refuse(
        stream,
        "no_credit",
        status.RESOURCE_EXHAUSTED,
        `a ${message.message} beyond the leases that were given`,
      );
    if (message.rollout) this.#rollout(stream, session, message.rollout);
    else if (message.return_lease) this.#returned(session, message.return_lease);
    else if (message.need_policy) {
      const version = message.need_policy.policy?.version ?? -1;
      if (!this.#options.needPolicy(version))
        this.#options.log.warn(`actor ${session.id} needs policy ${version}, which is not kept any more`);
    } else this.#refuse(stream, "protocol", status.INVALID_ARGUMENT, "an empty message");
  }

  /** Every answer uses a lease up: so nobody sends more than was asked of it. */
  #mayPay(session: Session, message: ActorMessage): boolean {
    if (message.need_policy) return session.needs.take();
    if (session.credit > 0) {
      session.credit--;
      return true;
    }
    return session.spare.take();
  }

  #refuse(stream: CollectStream, reason: RefusalReason, code: status, details: string): void {
    this.#options.refusals.count(reason, `${stream.getPeer()}: ${details}`);
    this.#fail(stream, code, details);
  }

  #hello(stream: CollectStream, hello: Hello): void {
    const { admission, runId, generation, collection, metrics, log } = this.#options;
    const refusal = admission.refusal(hello);
    stream.write({ welcome: { run_id: runId, generation: generation(), refused: refusal?.explanation ?? "" } });
    if (refusal !== null) {
      metrics.actorsRefused.inc({ reason: refusal.reason });
      log.warn(`refused actor ${quoted(hello.actor_id, 64)} at ${stream.getPeer()}: ${refusal.explanation}`);
      this.#streams.delete(stream);
      stream.end();
      return;
    }
    const session: Session = {
      id: hello.actor_id,
      capacity: hello.capacity,
      peer: stream.getPeer(),
      fingerprint: hello.fingerprint_json,
      badInARow: 0,
      spare: new TokenBucket(spareCredit, spareCreditPerSecond),
      needs: new TokenBucket(needsBurst, needsPerSecond),
      credit: 0,
      grant: (lease) => {
        session.credit++;
        stream.write({ lease: this.#leaseMessage(lease) });
      },
      revoke: (leaseId, reason) => void stream.write({ revoke: { lease_id: leaseId, reason } }),
    };
    this.#streams.set(stream, session);
    log.info(`actor ${session.id} joined from ${session.peer}, ${session.capacity} leases at once`);
    collection.join(session);
  }

  #leaseMessage({ id, work, withState }: Lease) {
    const state = withState && work.state !== null ? work.state.bytes : new Uint8Array(0);
    this.#options.metrics.leaseStateBytes.inc(state.length);
    return {
      lease_id: id,
      generation: this.#options.generation(),
      env_batch: work.envBatch,
      round: work.round,
      policy: { version: work.policy.version, digest: work.policy.digest },
      state_digest: work.state?.digest ?? "",
      state,
      expires_in_ms: Math.round(this.#options.leaseMs),
    };
  }

  #rollout(stream: CollectStream, session: Session, message: RolloutMessage): void {
    const { collection, decode } = this.#options;
    const answer = (verdict: Judgement, answered: Answered | null): void => {
      const outcome = this.#count(session, message, verdict);
      if (answered !== null) this.#countLease(verdict, answered);
      stream.write({ taken: { lease_id: message.lease_id, outcome } });
      if (session.badInARow >= badRolloutsAllowed) this.#sendAway(stream, session, outcome);
    };
    let rollout: Rollout;
    try {
      rollout = decode(message);
    } catch (error) {
      const verdict = { outcome: "refused", ...this.#unreadable(session, error) } as const;
      return collection.unreadable(session, message.lease_id, () => answer(verdict, null));
    }
    collection.offer(session, message.lease_id, rollout, message.end_state_digest, answer);
  }

  /** Not thrown on whatever it is: a stream that breaks would bring the same rollout again, for ever. */
  #unreadable({ id }: Session, error: unknown): { readonly reason: RolloutRefusal; readonly explanation: string } {
    const code = error instanceof OperatorError ? error.code.toLowerCase() : "";
    const reason = refusalReasons.find((known) => known === code);
    if (error instanceof OperatorError && reason !== undefined) return { reason, explanation: error.problem };
    this.#options.log.error({ err: error }, `a rollout of actor ${id} could not be decoded, by a fault of this build`);
    return { reason: "internal", explanation: messageOf(error) };
  }

  #sendAway(stream: CollectStream, session: Session, last: string): void {
    const why = `${session.badInARow} bad rollouts in a row, the last: ${last}`;
    this.#options.admission.ban(session.id, why);
    this.#options.metrics.actorsDropped.inc();
    this.#options.log.error(`actor ${session.id} at ${session.peer} is sent away: ${why}`);
    this.#fail(stream, status.FAILED_PRECONDITION, `actor ${session.id} is sent away: ${why}`);
  }

  #count(session: Session, message: RolloutMessage, verdict: Judgement): string {
    const { admission, metrics, log } = this.#options;
    metrics.rolloutBytes.inc(rolloutBytes(message));
    if (verdict.outcome === "refused") {
      session.badInARow++;
      metrics.rolloutsRefused.inc({ reason: verdict.reason });
      log.warn(
        `refused a rollout of actor ${session.id} (EnvBatch ${message.env_batch}, round ${message.round}): ${verdict.explanation}`,
      );
      return `refused: ${verdict.explanation}`;
    }
    if (verdict.outcome === "stale") metrics.rolloutsStale.inc({ reason: verdict.reason });
    if (verdict.outcome === "taken") {
      session.badInARow = 0;
      admission.worked(session.id, session.fingerprint);
      metrics.rolloutsTaken.inc();
      const { environment_seconds: environment, inference_seconds: inference, total_seconds: total } = message;
      metrics.rolloutSeconds.inc({ part: "environment" }, environment);
      metrics.rolloutSeconds.inc({ part: "inference" }, inference);
      metrics.rolloutSeconds.inc({ part: "other" }, Math.max(0, total - environment - inference));
    }
    return verdict.outcome;
  }

  #countLease({ outcome }: Judgement, { standing, lease }: Answered): void {
    const { metrics } = this.#options;
    // A held lease answered by a duplicate: the sender took it for another one.
    if (outcome === "duplicate") metrics.rolloutsDuplicate.inc({ reason: standing === "held" ? "mixed_up" : standing });
    if (outcome === "taken" && standing !== "held") metrics.rolloutsUnleased.inc({ reason: standing });
    if (outcome === "taken" && lease?.backup) metrics.backupsWon.inc();
  }

  #returned(session: Session, { lease_id, reason, need_state }: ReturnLease): void {
    const { collection, metrics, log } = this.#options;
    const kind = need_state ? "need_state" : returnReason(reason);
    metrics.leasesReturned.inc({ reason: kind });
    if (kind === "draining") collection.retire(session);
    const failed = kind === "environment_failed";
    if (failed) log.warn(`actor ${session.id} could not do lease ${lease_id}: ${reason}`);
    collection.returned(session, lease_id, reason, need_state, failed);
  }

  #fail(stream: CollectStream, code: status, details: string): void {
    this.#gone(stream, details);
    stream.emit("error", { code, details });
  }

  #gone(stream: CollectStream, how: string): void {
    const session = this.#streams.get(stream);
    this.#streams.delete(stream);
    if (!session) return;
    const returned = this.#options.collection.leave(session);
    this.#options.log.info(`actor ${session.id} left (${how}), ${returned} leases went back`);
    // A half-closed stream (the client ended its side) must be ended on ours, too, or it lingers.
    if (how === "end") stream.end();
  }
}
