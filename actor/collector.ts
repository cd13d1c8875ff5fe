import { EventEmitter, once } from "node:events";
import type { Drain__Output as Drain } from "../proto/gen/anchorage/v1/Drain.ts";
import type { Hello } from "../proto/gen/anchorage/v1/Hello.ts";
import type { LearnerMessage__Output as LearnerMessage } from "../proto/gen/anchorage/v1/LearnerMessage.ts";
import type { Lease__Output as LeaseMessage } from "../proto/gen/anchorage/v1/Lease.ts";
import { Backoff } from "../shared/backoff.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import { linkedSignal } from "../shared/linkedSignal.ts";
import type { Logger } from "../shared/log.ts";
import { returnReason } from "../shared/returnReason.ts";
import type { Transport } from "../shared/transport.ts";
import { LearnerStream } from "./learnerStream.ts";
import type { LeaseRunner } from "./leaseRunner.ts";
import type { ActorMetrics } from "./metrics.ts";
import { type OfferedRollout, RolloutOutbox, workOf } from "./rolloutOutbox.ts";

export interface CollectorOptions {
  readonly runner: LeaseRunner;
  /** As of now: the learner may move, and registering again gives another actor id. */
  readonly hello: () => Hello;
  readonly learnerAddress: () => string;
  readonly transport: Transport;
  readonly drainMs: number;
  readonly metrics: ActorMetrics;
  readonly log: Logger;
}

interface HeldLease {
  readonly lease: LeaseMessage;
  readonly stop: AbortController;
}

/** A goodbye that takes longer is not waited for. */
const goodbyeMs = 2_000;

/**
 * Works for the learner until it says that the run is finished, `finish` is called, or the process drains. Keeps one
 * Collect stream, opened again with back-off whenever it ends. Leases of a stream that is lost are dropped where they
 * have not begun; what is being collected, and what the learner has not answered for, is offered to the same generation of
 * the learner on its next stream: it takes the first good rollout whoever sends it.
 */
export class Collector {
  readonly #options: CollectorOptions;
  readonly #held = new Set<HeldLease>();
  readonly #events = new EventEmitter<{ moved: []; idle: [] }>();
  readonly #over = new AbortController(); // reason: null, or the OperatorError to end with
  readonly #draining = new AbortController();
  readonly #outbox: RolloutOutbox;
  readonly #working = new Map<string, Promise<boolean>>(); // by work: whether its rollout was made
  #stream: LearnerStream | null = null;
  #generation: number | null = null; // of the stream's learner; null: not welcomed yet

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#outbox = new RolloutOutbox(2 * (options.runner.slots.size + 1)); // twice what the learner leases at once
  }

  /** null: at work; else why not. */
  get notReady(): string | null {
    if (this.#draining.signal.aborted) return "draining";
    return this.#generation === null ? "not connected to the learner" : null;
  }
  get leases(): number {
    return this.#held.size;
  }

  /** Another learner, or another address: the present stream is of no use. */
  learnerMoved(): void {
    this.#stream?.abort("the learner moved");
    this.#events.emit("moved");
  }

  /** The run is over: nothing that is still held matters. */
  finish(): void {
    this.#over.abort(null);
    this.#stream?.abort("the run is over");
  }

  /** Resolves when the run is finished or the drain is done. Rejects with the OperatorError that ends this actor. */
  async run(stopping: AbortSignal): Promise<void> {
    const drain = (): void => void this.#drain();
    stopping.addEventListener("abort", drain, { once: true });
    if (stopping.aborted) this.#over.abort(null);
    const over = this.#over.signal;
    const backoff = new Backoff({ firstMs: 200, maxMs: 5_000 });
    let told = false;
    while (!over.aborted) {
      const address = this.#options.learnerAddress();
      const ended =
        address === "" ? { reason: "there is none yet", welcomed: false } : await this.#work(address, backoff);
      if (over.aborted) break;
      if (!ended.welcomed && !told) this.#options.log.warn(`waiting for the learner: ${ended.reason}`);
      told = !ended.welcomed;
      await this.#pause(backoff);
    }
    stopping.removeEventListener("abort", drain);
    if (over.reason instanceof OperatorError) throw over.reason;
  }

  /** One stream from hello to its end. Gives the reason of the end, and whether the learner had let this actor in. */
  async #work(address: string, backoff: Backoff): Promise<{ reason: string; welcomed: boolean }> {
    const { log, metrics, hello } = this.#options;
    const stream = new LearnerStream(address, this.#options.transport);
    this.#stream = stream;
    stream.on("message", (message) => this.#receive(stream, message, backoff));
    const closed = once(stream, "closed") as Promise<[string]>;
    void stream.send({ hello: hello() });
    const [reason] = await closed;
    const welcomed = this.#generation !== null;
    if (welcomed) {
      log.info(`the stream to the learner at ${address} ended: ${reason}`);
      metrics.reconnects.inc();
    }
    this.#stream = null;
    this.#generation = null;
    metrics.learnerConnected.set(0);
    for (const { stop } of this.#held) stop.abort(new Error("the stream was lost"));
    return { reason, welcomed };
  }

  /** Waits for the back-off, a change of address, or the end. */
  async #pause(backoff: Backoff): Promise<void> {
    const wake = new AbortController();
    const moved = (): void => wake.abort();
    this.#events.once("moved", moved);
    const woken = linkedSignal(wake.signal, this.#over.signal);
    await backoff.wait(woken.signal).catch(() => undefined); // woken early
    woken.release();
    this.#events.off("moved", moved);
  }

  #receive(stream: LearnerStream, { welcome, lease, revoke, drain, taken }: LearnerMessage, backoff: Backoff): void {
    const { log, metrics } = this.#options;
    if (welcome) {
      if (welcome.refused !== "") return this.#refused(stream, welcome.refused);
      backoff.reset();
      this.#generation = welcome.generation;
      const { messages, dropped } = this.#outbox.renew(welcome.generation);
      for (const message of messages) void stream.send(message);
      metrics.rollouts.inc({ outcome: "dropped" }, dropped);
      metrics.learnerConnected.set(1);
      log.info(`welcomed by the learner, generation ${welcome.generation}`);
    } else if (lease) void this.#take(stream, lease);
    else if (revoke) this.#revoke(revoke.lease_id, revoke.reason);
    else if (drain) this.#drained(stream, drain);
    else if (taken) {
      const outcome =
        (["taken", "duplicate", "stale"] as const).find((one) => taken.outcome.startsWith(one)) ?? "refused";
      metrics.rollouts.inc({ outcome });
      this.#outbox.settled(this.#generation ?? -1, taken.lease_id);
      if (outcome === "refused") log.error(`the learner refused a rollout: ${taken.outcome}`);
    }
  }

  #refused(stream: LearnerStream, why: string): void {
    const problem = `The learner refused this actor: ${why}.`;
    this.#over.abort(new OperatorError("MISMATCH", problem, "Run the same build and run file in every process."));
    stream.abort("refused");
  }

  #drained(stream: LearnerStream, { reason, finished }: Drain): void {
    this.#options.log.info(`the learner leases nothing more: ${reason}`);
    if (finished) this.finish();
    else stream.abort(reason); // another learner may come, at the same address or another
  }

  #revoke(leaseId: number, reason: string): void {
    for (const { lease, stop } of this.#held)
      if (lease.lease_id === leaseId) stop.abort(new Error(`lease_revoked: ${reason}`));
  }

  /** Works on a lease and answers it, on the stream that there is by then if the learner is still the same. */
  async #take(stream: LearnerStream, lease: LeaseMessage): Promise<void> {
    const { runner, metrics } = this.#options;
    const stop = new AbortController();
    const held = { lease, stop };
    this.#held.add(held);
    metrics.leases.set(this.#held.size);
    if (this.#draining.signal.aborted) stop.abort(new Error("draining"));
    await this.#answer(stream, held);
    this.#held.delete(held);
    metrics.leases.set(this.#held.size);
    if (this.#held.size === 0) this.#events.emit("idle");
    if (runner.failed !== null) await this.#giveUp(runner.failed);
  }

  /**
   * Where the learner leases work again that this actor is at for an older lease (which expired, or was of a stream that
   * broke), or that it has answered, the older lease's rollout is the answer to both.
   */
  async #answer(stream: LearnerStream, held: HeldLease): Promise<void> {
    const { lease, stop } = held;
    const work = workOf(lease);
    for (let earlier = this.#working.get(work); earlier !== undefined; earlier = this.#working.get(work)) {
      const made = await Promise.race([earlier, aborted(stop.signal)]);
      if (made === true) return this.#giveBack(stream, lease, "already_answered");
      if (made === null) return this.#giveBack(stream, lease, messageOf(stop.signal.reason));
    }
    if (this.#outbox.has(work)) return this.#giveBack(stream, lease, "already_answered");
    const made = this.#collect(stream, work, held);
    this.#working.set(work, made);
    await made;
    this.#working.delete(work);
  }

  /** True: the rollout was made and handed over. */
  async #collect(stream: LearnerStream, work: string, { lease, stop }: HeldLease): Promise<boolean> {
    const { runner, metrics } = this.#options;
    const onNeeded = (): void => {
      metrics.policiesNeeded.inc();
      void stream.send({ need_policy: { policy: lease.policy } });
    };
    const answer = await runner.answer(lease, { signal: stop.signal, onNeeded });
    if ("returned" in answer) await this.#giveBack(stream, lease, answer.returned, answer.needState);
    else
      await this.#offer({
        work,
        generation: lease.generation,
        leaseId: lease.lease_id,
        message: answer.rollout.message,
      });
    return "rollout" in answer;
  }

  async #giveBack(stream: LearnerStream, lease: LeaseMessage, reason: string, needState = false): Promise<void> {
    if (this.#stream !== stream) return; // the lease ended with its stream
    this.#options.metrics.leasesReturned.inc({ reason: returnReason(reason) });
    await stream.send({ return_lease: { lease_id: lease.lease_id, reason, need_state: needState } });
  }

  /** Sends a rollout on the stream that there is now, or on the next one if there is none. */
  async #offer(rollout: OfferedRollout): Promise<void> {
    const { rollouts, rolloutBytes } = this.#options.metrics;
    rolloutBytes.inc(rollout.message.length);
    if (this.#generation !== null && this.#generation !== rollout.generation)
      return rollouts.inc({ outcome: "dropped" });
    rollouts.inc({ outcome: "dropped" }, this.#outbox.add(rollout));
    if (this.#generation !== null) await this.#stream?.send(rollout.message);
  }

  async #giveUp(error: OperatorError): Promise<void> {
    if (this.#over.signal.aborted) return;
    this.#over.abort(error);
    await this.#stream?.end(goodbyeMs);
  }

  /** Gives back what has not begun, finishes what has, says goodbye. */
  async #drain(): Promise<void> {
    this.#draining.abort();
    for (const { stop } of this.#held) stop.abort(new Error("draining"));
    if (this.#held.size > 0 && this.#stream !== null) {
      const timeout = AbortSignal.any([AbortSignal.timeout(this.#options.drainMs), this.#over.signal]);
      await once(this.#events, "idle", { signal: timeout }).catch(() => {
        for (const { lease } of this.#held)
          void this.#stream?.send({ return_lease: { lease_id: lease.lease_id, reason: "draining" } });
      });
    }
    this.#over.abort(null);
    await this.#stream?.end(goodbyeMs);
  }
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null);
    signal.addEventListener("abort", () => resolve(null), { once: true });
  });
}
