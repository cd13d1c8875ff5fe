import {
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { headers, type NatsConnection } from "@nats-io/nats-core";
import { Backoff } from "../shared/backoff.ts";
import { messageOf } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { connectToNats, type NatsAccess } from "../shared/natsConnection.ts";
import {
  chunkBytes,
  chunkHeader,
  type PolicySnapshot,
  policyStream,
  policySubject,
  policySubjects,
} from "../shared/policySnapshot.ts";

export interface PublisherOptions {
  readonly nats: NatsAccess;
  readonly runId: string;
  readonly generation: () => number;
  readonly slots: number; // versions retained
  readonly log: Logger;
  /** A version is stored for the first time: from here on actors can have it. */
  readonly onPublished: (snapshot: PolicySnapshot, seconds: number) => void;
  /** NATS has acknowledged so many bytes of a policy, for whatever reason they were sent. */
  readonly onSent?: (bytes: number) => void;
  readonly onRepublished?: (snapshot: PolicySnapshot) => void;
  readonly onConnection?: (connected: boolean) => void;
}

/** Chunks on their way at once: enough to fill a link, few enough that a slow server holds the sender back. */
const chunksInFlight = 4;
const ackTimeoutMs = 5_000;
const spareStreamBytes = 16 * 1024 * 1024; // headers, and room for a network that grew

/**
 * Broadcasts policy versions through a JetStream stream that keeps the last message of each subject, one slot per
 * retained version, in the server's memory: a disk that is full for a moment ends a file stream until the server is
 * started again, and what a restarted server has lost is stored again from here. Keeps the retained snapshots in memory and stores them again after a reconnect, a lost stream or a
 * `need_policy`. While NATS is away the queue waits; only retained versions are in it, so it is bounded.
 */
export class PolicyPublisher {
  readonly #options: PublisherOptions;
  readonly #retained = new Map<number, { snapshot: PolicySnapshot; since: number; stored: boolean }>();
  readonly #queue = new Set<number>();
  readonly #closed = new AbortController();
  /** Of the newest version that was stored for the first time: from publish() to the last chunk's acknowledgement. */
  lastBroadcastSeconds = 0;
  #wake: () => void = () => {};
  #connection: NatsConnection | null = null;
  #linkDown = new AbortController(); // aborts when the link breaks: what was in flight is lost
  #streamReady = false;
  #running: Promise<void> | null = null;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  get connected(): boolean {
    return this.#connection !== null && !this.#linkDown.signal.aborted;
  }

  /** Begins to connect, for as long as it takes. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Queues a new version; versions older than the slots are forgotten. */
  publish(snapshot: PolicySnapshot): void {
    this.#retained.set(snapshot.version, { snapshot, since: performance.now(), stored: false });
    const dropped = snapshot.version - this.#options.slots;
    for (const version of this.#retained.keys()) if (version <= dropped) this.#forget(version);
    this.#enqueue([snapshot.version]);
  }

  /** An actor cannot get this version from NATS. False: it is not retained, so no lease can name it. */
  again(version: number): boolean {
    if (!this.#retained.has(version)) return false;
    this.#streamReady = false; // it may be the stream that is gone
    this.#enqueue([version]);
    return true;
  }

  /** The run is finished and nobody asks for its policies any more: a server that many runs share keeps nothing of it. */
  async removeStream(): Promise<void> {
    const { runId, log } = this.#options;
    if (!this.connected) return log.warn("NATS cannot be reached: the finished run's policy stream stays there");
    try {
      const manager = await jetstreamManager(this.#connection!, { timeout: ackTimeoutMs, checkAPI: false });
      await manager.streams.delete(policyStream(runId));
    } catch (error) {
      log.warn(`the finished run's policy stream stays in NATS: ${messageOf(error)}`);
    }
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#wake();
    await this.#running;
    await this.#connection?.close();
  }

  #forget(version: number): void {
    this.#retained.delete(version);
    this.#queue.delete(version);
  }

  #enqueue(versions: Iterable<number>): void {
    for (const version of versions) this.#queue.add(version);
    this.#wake();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closed;
    const { nats, runId, log } = this.#options;
    const nc = await connectToNats(nats, `anchorage learner ${runId}`, log, signal);
    if (nc === null) return;
    this.#connection = nc;
    this.#options.onConnection?.(true);
    void this.#watch(nc);
    const js = jetstream(nc, { timeout: ackTimeoutMs });
    const backoff = new Backoff({ firstMs: 100, maxMs: 2_000 });
    while (!signal.aborted) {
      const version = this.#next();
      if (version === null) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      try {
        const link = this.#linkDown.signal;
        await unlessBroken(link, this.#ensureStream(nc));
        await this.#send(js, version, link);
        backoff.reset();
      } catch (error) {
        if (signal.aborted) return;
        // Perhaps all of the storage is lost: store everything again once the server answers.
        this.#streamReady = false;
        this.#enqueue(this.#retained.keys());
        const problem = `policy ${version} is not stored in NATS yet, trying again: ${messageOf(error)}`;
        if (backoff.attempts === 0) this.#options.log.warn(problem);
        else this.#options.log.debug(problem);
        await backoff.wait(signal).catch(() => undefined); // closing: the loop's condition ends it
      }
    }
  }

  /** The newest queued version, while there is a link: it is the one that the actors wait for. */
  #next(): number | null {
    return this.connected && this.#queue.size > 0 ? Math.max(...this.#queue) : null;
  }

  async #watch(nc: NatsConnection): Promise<void> {
    for await (const status of nc.status()) {
      if (status.type === "disconnect") {
        this.#options.log.warn("the link to NATS broke");
        this.#linkDown.abort(new Error("the link to NATS broke"));
        this.#streamReady = false;
        this.#options.onConnection?.(false);
      } else if (status.type === "reconnect") {
        this.#options.log.info("NATS reached again: storing the retained policies again");
        this.#linkDown = new AbortController();
        this.#options.onConnection?.(true);
        this.#enqueue(this.#retained.keys());
      } else if (status.type === "error") this.#options.log.warn(`NATS: ${messageOf(status.error)}`);
    }
  }

  /** Twice what the slots need, so that only what does not belong there, or another run's mistake, reaches the bound. */
  get #streamBytes(): number {
    const largest = Math.max(...[...this.#retained.values()].map(({ snapshot }) => snapshot.bytes.length));
    return 2 * this.#options.slots * largest + spareStreamBytes;
  }

  /** Creates the stream, or corrects the fields that matter if an older one differs. Idempotent. */
  async #ensureStream(nc: NatsConnection): Promise<void> {
    if (this.#streamReady) return;
    const { runId, log } = this.#options;
    const name = policyStream(runId);
    const wanted = {
      subjects: [policySubjects(runId)],
      max_msgs_per_subject: 1,
      allow_direct: true,
      discard: DiscardPolicy.Old,
      max_bytes: this.#streamBytes,
    };
    const manager: JetStreamManager = await jetstreamManager(nc, { timeout: ackTimeoutMs, checkAPI: false });
    let found = await streamConfig(manager, name);
    if (found !== null && found.storage !== StorageType.Memory) {
      await manager.streams.delete(name); // an older build's: its storage cannot be changed
      found = null;
    }
    if (found === null) {
      await manager.streams.add({ name, storage: StorageType.Memory, retention: RetentionPolicy.Limits, ...wanted });
      log.info(`made the NATS stream ${name}`);
      // A stream that is new holds nothing of what was stored before.
      this.#enqueue(this.#retained.keys());
    } else {
      const same =
        found.subjects[0] === wanted.subjects[0] &&
        found.max_msgs_per_subject === 1 &&
        found.allow_direct &&
        found.max_bytes === wanted.max_bytes;
      if (!same) await manager.streams.update(name, { ...found, ...wanted });
    }
    this.#streamReady = true;
  }

  async #send(js: JetStreamClient, version: number, link: AbortSignal): Promise<void> {
    const entry = this.#retained.get(version);
    if (entry === undefined) return void this.#queue.delete(version);
    this.#queue.delete(version); // before sending: a request that comes meanwhile is a new one
    const { bytes } = entry.snapshot;
    const chunks = Math.ceil(bytes.length / chunkBytes);
    const inFlight: Promise<unknown>[] = [];
    for (let i = 0; i < chunks; i++) {
      const sent = this.#sendChunk(js, entry.snapshot, i);
      sent.catch(() => undefined); // awaited in order below; a later chunk may fail before it is looked at
      inFlight.push(sent);
      if (inFlight.length === chunksInFlight) await unlessBroken(link, inFlight.shift()!);
    }
    await unlessBroken(link, Promise.all(inFlight));
    if (this.#retained.get(version) !== entry) return;
    if (entry.stored) return this.#options.onRepublished?.(entry.snapshot);
    entry.stored = true;
    this.lastBroadcastSeconds = (performance.now() - entry.since) / 1000;
    this.#options.onPublished(entry.snapshot, this.lastBroadcastSeconds);
  }

  async #sendChunk(js: JetStreamClient, snapshot: PolicySnapshot, index: number): Promise<void> {
    const { runId, generation, slots } = this.#options;
    const { version, digest, bytes } = snapshot;
    const offset = index * chunkBytes;
    const about = headers();
    about.set(chunkHeader.version, String(version));
    about.set(chunkHeader.generation, String(generation()));
    about.set(chunkHeader.digest, digest);
    about.set(chunkHeader.offset, String(offset));
    about.set(chunkHeader.total, String(bytes.length));
    const subject = policySubject(runId, version % slots, index);
    const chunk = bytes.subarray(offset, offset + chunkBytes);
    await js.publish(subject, chunk, { headers: about, timeout: ackTimeoutMs });
    this.#options.onSent?.(chunk.length);
  }
}

/** null: there is no such stream. */
async function streamConfig(manager: JetStreamManager, name: string): Promise<StreamConfig | null> {
  try {
    return (await manager.streams.info(name)).config;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return null;
    throw error;
  }
}

/** `work`'s outcome, or a rejection as soon as the link breaks: what was asked of the old link is not answered any more. */
async function unlessBroken<T>(link: AbortSignal, work: Promise<T>): Promise<T> {
  let broke = (): void => {};
  const broken = new Promise<never>((_, reject) => {
    broke = () => reject(link.reason);
  });
  if (link.aborted) broke();
  link.addEventListener("abort", broke, { once: true });
  try {
    return await Promise.race([work, broken]);
  } finally {
    link.removeEventListener("abort", broke);
  }
}
