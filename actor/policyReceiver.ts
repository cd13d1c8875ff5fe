import { setTimeout as sleep } from "node:timers/promises";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { Backoff } from "../shared/backoff.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import { linkedSignal } from "../shared/linkedSignal.ts";
import type { Logger } from "../shared/log.ts";
import { connectToNats, type NatsAccess } from "../shared/natsConnection.ts";
import { chunkBytes, policyStream, policySubject, policySubjects } from "../shared/policySnapshot.ts";
import type { PortRefusals } from "../shared/portRefusals.ts";
import { type HeldPolicy, type PolicyChunk, PolicyChunks, parseChunk } from "./policyChunks.ts";

export interface ReceiverOptions {
  readonly nats: NatsAccess;
  readonly runId: string;
  readonly slots: number; // versions that the stream retains
  readonly log: Logger;
  readonly refusals: PortRefusals;
  /** So many bytes of a policy came. */
  readonly onBytes?: (bytes: number) => void;
  /** How long the live broadcast may take before the stream is asked; a lease can overtake it by a moment. */
  readonly liveMs?: number;
  /** After this long without the policy the learner is asked to store it again. */
  readonly needMs?: number;
}

/** The policy version that a lease names. */
export interface WantedPolicy {
  readonly version: number;
  readonly digest: string;
  readonly patienceMs: number;
  /** Called when NATS does not have it, and again every few seconds while that is so. */
  readonly onNeeded: () => void;
  readonly signal: AbortSignal;
}

/** Four chunks of 768 KiB take three seconds at 1 MB/s. */
const requestMs = 5_000;
const fetchesInFlight = 4;
const needAgainMs = 5_000;

/**
 * Policy snapshots from NATS. Live versions come by a core subscription, before a lease asks for them; a late joiner
 * gets the last message of each subject directly from the stream, which need not exist yet. Survives NATS going away.
 */
export class PolicyReceiver {
  readonly #options: ReceiverOptions;
  readonly #chunks: PolicyChunks;
  readonly #closed = new AbortController();
  readonly #waiting = new Map<string, Set<() => void>>(); // digest -> wake-ups
  #connection: NatsConnection | null = null;
  #manager: JetStreamManager | null = null;
  #running: Promise<void> | null = null;
  #connected = false;

  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.#chunks = new PolicyChunks(options.slots + 1);
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Newest version that is here; -1: none yet. */
  get newestVersion(): number {
    return this.#chunks.newestVersion;
  }

  /** Begins to connect, for as long as it takes. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** The snapshot if it is here already. */
  hold(digest: string): HeldPolicy | null {
    return this.#chunks.hold(digest);
  }

  /** The snapshot with exactly this digest. Rejects with NETWORK when patience ends. */
  async get(wanted: WantedPolicy): Promise<HeldPolicy> {
    const { version, digest, patienceMs, onNeeded, signal } = wanted;
    const { liveMs = 100, needMs = 1_500 } = this.#options;
    const began = performance.now();
    const backoff = new Backoff({ firstMs: 200, maxMs: 1_000 });
    let nextNeed = needMs;
    await this.#arrival(digest, liveMs, signal);
    for (;;) {
      const held = this.#chunks.hold(digest);
      if (held !== null) return held;
      const waited = performance.now() - began;
      if (waited >= patienceMs) throw unavailable(version, digest, waited, this.#connected);
      await this.#fetch(version, digest).catch((error: unknown) => {
        this.#options.log.debug(`policy ${version} is not in NATS: ${messageOf(error)}`);
      });
      if (this.#chunks.has(digest)) continue;
      if (performance.now() - began >= nextNeed) {
        onNeeded();
        nextNeed = performance.now() - began + needAgainMs;
      }
      await this.#arrival(digest, backoff.next() + 20, signal);
    }
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#connection?.close();
    await this.#running;
    this.#connected = false;
  }

  /** Resolves when the snapshot is whole, at the latest after `ms`. */
  async #arrival(digest: string, ms: number, signal: AbortSignal): Promise<void> {
    if (this.#chunks.has(digest)) return;
    const ended = new AbortController();
    const wake = (): void => ended.abort();
    const wakers = this.#waiting.get(digest) ?? new Set();
    this.#waiting.set(digest, wakers.add(wake));
    const over = linkedSignal(ended.signal, signal, this.#closed.signal);
    try {
      await sleep(ms, undefined, { signal: over.signal });
    } catch (error) {
      signal.throwIfAborted();
      this.#closed.signal.throwIfAborted();
      if (!ended.signal.aborted) throw error;
    } finally {
      over.release();
      wakers.delete(wake);
      if (wakers.size === 0) this.#waiting.delete(digest);
    }
  }

  #take(chunk: PolicyChunk, from: "live" | "fetched"): void {
    this.#options.onBytes?.(chunk.data.length);
    const outcome = this.#chunks.add(chunk, from);
    if (outcome === "corrupt")
      this.#refuse(`policy ${chunk.version} from NATS does not have its digest ${chunk.digest}: dropped`);
    if (outcome === "whole") for (const wake of this.#waiting.get(chunk.digest) ?? []) wake();
  }

  #refuse(what: string): void {
    this.#options.refusals.count("policy_chunk", what);
  }

  /** The last message of each subject of the version's slot. Throws where it holds another version or nothing. */
  async #fetch(version: number, digest: string): Promise<void> {
    if (this.#manager === null || !this.#connected) throw new Error("NATS is not connected");
    const total = this.#chunks.totalOf(digest) ?? (await this.#fetchChunk(version, digest, 0)).total;
    const all = Array.from({ length: Math.ceil(total / chunkBytes) }, (_, i) => i);
    // On a slow link some of them fail for want of time: the next attempt must not begin at the beginning.
    const missing = all.filter((i) => !this.#chunks.hasPart(digest, i * chunkBytes));
    for (let from = 0; from < missing.length; from += fetchesInFlight) {
      const some = missing.slice(from, from + fetchesInFlight);
      await Promise.all(some.map((i) => this.#fetchChunk(version, digest, i)));
    }
  }

  async #fetchChunk(version: number, digest: string, index: number): Promise<PolicyChunk> {
    const { runId, slots } = this.#options;
    const subject = policySubject(runId, version % slots, index);
    const message = await this.#manager!.direct.getMessage(policyStream(runId), { last_by_subj: subject });
    const chunk = message && parseChunk(message.header, message.data);
    if (!chunk) throw new Error(`${subject} is empty`);
    // A slot is overwritten chunk by chunk: while that happens it holds chunks of two versions.
    if (chunk.version !== version || chunk.digest !== digest)
      throw new Error(`${subject} holds version ${chunk.version} ${chunk.digest}`);
    this.#take(chunk, "fetched");
    return chunk;
  }

  async #run(): Promise<void> {
    const { nats, runId, log } = this.#options;
    const connection = await connectToNats(nats, `anchorage actor ${runId}`, log, this.#closed.signal);
    if (connection === null) return;
    this.#connection = connection;
    this.#connected = true;
    if (this.#closed.signal.aborted) return connection.close(); // close() came while it connected
    connection.subscribe(policySubjects(runId), {
      callback: (error, message) => {
        if (error !== null) return log.warn(`the subscription of ${policySubjects(runId)}: ${messageOf(error)}`);
        try {
          const chunk = parseChunk(message.headers, message.data);
          if (chunk !== null) this.#take(chunk, "live");
          else this.#refuse(`no policy chunk on ${message.subject}`);
        } catch (cause) {
          // nats reads the headers only now and throws where they are none
          this.#refuse(`no readable message on ${message.subject}: ${messageOf(cause)}`);
        }
      },
    });
    this.#manager = await jetstreamManager(connection, { checkAPI: false, timeout: requestMs });
    if (connection.isClosed()) return;
    for await (const status of connection.status()) {
      if (status.type === "disconnect") {
        this.#connected = false;
        log.warn("the link to NATS broke; connecting again");
      } else if (status.type === "reconnect") {
        this.#connected = true;
        log.info("NATS reached again");
      } else if (status.type === "error") log.warn(`NATS: ${messageOf(status.error)}`);
    }
  }
}

function unavailable(version: number, digest: string, waitedMs: number, connected: boolean): OperatorError {
  const link = connected ? "NATS does not hold it" : "NATS cannot be reached";
  const problem = `Policy version ${version} (${digest.slice(0, 12)}) did not come within ${Math.round(waitedMs)} ms: ${link}.`;
  return new OperatorError("NETWORK", problem, "Check the NATS server; the learner stores it again when it is asked.");
}
