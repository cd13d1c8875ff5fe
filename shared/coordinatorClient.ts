import { type CallOptions, type ClientUnaryCall, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import type { ControlAction } from "../proto/gen/anchorage/v1/ControlAction.ts";
import type { CoordinatorClient as Stub } from "../proto/gen/anchorage/v1/Coordinator.ts";
import type { HeartbeatReply__Output } from "../proto/gen/anchorage/v1/HeartbeatReply.ts";
import type { HeartbeatRequest } from "../proto/gen/anchorage/v1/HeartbeatRequest.ts";
import type { RegisterReply__Output } from "../proto/gen/anchorage/v1/RegisterReply.ts";
import type { RegisterRequest } from "../proto/gen/anchorage/v1/RegisterRequest.ts";
import type { ReportReply__Output } from "../proto/gen/anchorage/v1/ReportReply.ts";
import type { Run__Output } from "../proto/gen/anchorage/v1/Run.ts";
import type { SaveCheckpointReply__Output } from "../proto/gen/anchorage/v1/SaveCheckpointReply.ts";
import type { Status__Output } from "../proto/gen/anchorage/v1/Status.ts";
import type { UpdateReport } from "../proto/gen/anchorage/v1/UpdateReport.ts";
import type { WatchEvent__Output } from "../proto/gen/anchorage/v1/WatchEvent.ts";
import { coordinatorProto } from "../proto/load.ts";
import { retry } from "./backoff.ts";
import {
  type RefusedMinibatchFile,
  receiveCheckpoint,
  type StoredCheckpoint,
  sendCheckpoint,
} from "./checkpointTransfer.ts";
import { messageOf } from "./errors.ts";
import { grpcError, isFailedDisk, isTransient, storageRefusal } from "./grpcErrors.ts";
import { clientOptions } from "./grpcOptions.ts";
import type { Logger } from "./log.ts";
import { Transport } from "./transport.ts";

export interface CallSettings {
  readonly signal?: AbortSignal;
  /** How long transient failures (unreachable, deadline) are tried again, with back-off; Infinity: until `signal`. */
  readonly patienceMs?: number;
}

export interface CoordinatorAccess {
  readonly log?: Logger | null;
  /** Default: plain text on this machine. */
  readonly transport?: Transport;
  /** The run's control token, for control() and watch() without certificates. Secret. */
  readonly token?: string | null;
}

const unaryDeadlineMs = 10_000;
/** A report carries a policy of MBs, over a slow link; the coordinator gives it as long (coordinator/limits.ts). */
const reportDeadlineMs = 120_000;
/** A checkpoint of hundreds of MB over a slow link, with its fsync. */
const checkpointDeadlineMs = 300_000;
const defaultPatienceMs = 30_000;

const finalStates: ReadonlySet<string> = new Set(["STOPPING", "FINISHED", "FAILED"]);

const endedEarly = (): ServiceError =>
  Object.assign(new Error("the stream ended before the run"), {
    code: status.UNAVAILABLE,
    details: "the stream ended before the run",
    metadata: new Metadata(),
  });

type UnaryMethod = "Register" | "Heartbeat" | "GetRun" | "ReportUpdate" | "Control";

/**
 * The coordinator as actor, learner and command line see it. Every call has a deadline; transient failures are tried
 * again for `patienceMs`; what remains is thrown as OperatorError. A refusal (older generation, disk full) is an
 * answer, not an error: see the replies' `refused`.
 */
export class CoordinatorClient {
  readonly address: string;
  readonly #stub: Stub;
  readonly #log: Logger | null;
  readonly #operator = new Metadata(); // goes with what only an operator may call

  /** Throws CONFIG where plain text would leave this machine. */
  constructor(address: string, { log = null, transport = Transport.plain, token = null }: CoordinatorAccess = {}) {
    this.address = address;
    this.#log = log;
    const credentials = transport.clientCredentials("coordinator", "coordinator", address);
    const options = { ...clientOptions, ...transport.channelOptions(address) };
    this.#stub = new coordinatorProto.Coordinator(address, credentials, options);
    if (token !== null) this.#operator.set("authorization", `Bearer ${token}`);
  }

  register(request: RegisterRequest, settings?: CallSettings): Promise<RegisterReply__Output> {
    return this.#unary("Register", request, settings);
  }

  heartbeat(request: HeartbeatRequest, settings?: CallSettings): Promise<HeartbeatReply__Output> {
    return this.#unary("Heartbeat", request, settings);
  }

  getRun(settings?: CallSettings): Promise<Run__Output> {
    return this.#unary("GetRun", {}, settings);
  }

  /** Idempotent by (generation, update). */
  reportUpdate(report: UpdateReport, settings?: CallSettings): Promise<ReportReply__Output> {
    return this.#unary("ReportUpdate", report, settings);
  }

  /** Throws STORAGE where the coordinator cannot record it: after `patienceMs`, at once where its disk has failed. */
  async control(action: keyof typeof ControlAction, settings?: CallSettings): Promise<Status__Output> {
    try {
      return await this.#unary("Control", { action }, settings);
    } catch (error) {
      throw storageRefusal(error) ?? error;
    }
  }

  /** Stores a checkpoint; the bytes go in chunks of 1 MiB with their sha256. Sent whole again after a broken stream. */
  saveCheckpoint(checkpoint: StoredCheckpoint, settings?: CallSettings): Promise<SaveCheckpointReply__Output> {
    return this.#retrying("SaveCheckpoint", settings, () =>
      sendCheckpoint(this.#stub, checkpoint, this.#callOptions(checkpointDeadlineMs), settings?.signal),
    );
  }

  /** Stores the minibatch of a refused step as the run folder's `refusedMinibatchName`, whole or not at all. */
  saveRefusedMinibatch(file: RefusedMinibatchFile, settings?: CallSettings): Promise<SaveCheckpointReply__Output> {
    return this.#retrying("SaveCheckpoint", settings, () =>
      sendCheckpoint(this.#stub, file, this.#callOptions(checkpointDeadlineMs), settings?.signal),
    );
  }

  /** The checkpoint taken after `update` updates, or with 0 the newest good one; null: there is none. Verified. */
  loadCheckpoint(update = 0, settings?: CallSettings): Promise<StoredCheckpoint | null> {
    return this.#retrying("LoadCheckpoint", settings, () =>
      receiveCheckpoint(this.#stub, { update }, this.#callOptions(checkpointDeadlineMs), settings?.signal),
    );
  }

  /** The bytes of the file that the run's initFrom names. Throws CORRUPT where the run folder has lost it. */
  async initialFile(settings?: CallSettings): Promise<Uint8Array> {
    const file = await this.#retrying("LoadCheckpoint", settings, () => {
      const options = this.#callOptions(checkpointDeadlineMs);
      return receiveCheckpoint(this.#stub, { initial_file: true }, options, settings?.signal);
    });
    return file!.bytes;
  }

  /**
   * Reports of the updates after `afterUpdate`, then live ones, and the status in between; ends when the run does. A
   * broken stream is taken up again after the last update seen, for `patienceMs` each time.
   */
  async *watch(afterUpdate: number, settings: CallSettings = {}): AsyncGenerator<WatchEvent__Output, void> {
    const { signal } = settings;
    let seen = afterUpdate;
    let over = false;
    let brokenSince: number | null = null;
    for (;;) {
      await this.getRun(settings); // waits, with back-off and patience, until the coordinator is there
      const call = this.#stub.watch({ after_update: seen }, this.#operator.clone());
      const cancel = (): void => call.cancel();
      signal?.addEventListener("abort", cancel, { once: true });
      try {
        for await (const event of call as AsyncIterable<WatchEvent__Output>) {
          brokenSince = null;
          if (event.update) seen = event.update.update;
          over = event.status?.run ? finalStates.has(event.status.run.state) : over;
          yield event;
        }
        if (over) return;
        throw endedEarly(); // a coordinator that is restarted closes its streams, too
      } catch (error) {
        signal?.throwIfAborted();
        brokenSince ??= performance.now();
        const patience = settings.patienceMs ?? defaultPatienceMs;
        if (!isTransient(error) || performance.now() - brokenSince > patience)
          throw grpcError(this.#peer, "Watch", error);
        this.#log?.warn(`Watch broke, taking it up again after update ${seen}: ${messageOf(error)}`);
      } finally {
        signal?.removeEventListener("abort", cancel);
        call.cancel();
      }
    }
  }

  close(): void {
    this.#stub.close();
  }

  get #peer(): string {
    return `the coordinator at ${this.address}`;
  }

  #callOptions(deadlineMs: number): CallOptions {
    return { deadline: Date.now() + deadlineMs };
  }

  #unary<Reply>(method: UnaryMethod, request: object, settings: CallSettings = {}): Promise<Reply> {
    return this.#retrying(method, settings, () => this.#once<Reply>(method, request, settings.signal));
  }

  #once<Reply>(method: UnaryMethod, request: object, signal?: AbortSignal): Promise<Reply> {
    return new Promise<Reply>((resolve, reject) => {
      const call = this.#stub[method].bind(this.#stub) as unknown as (
        request: object,
        metadata: Metadata,
        options: CallOptions,
        done: (error: ServiceError | null, reply?: Reply) => void,
      ) => ClientUnaryCall;
      const metadata = method === "Control" ? this.#operator.clone() : new Metadata();
      const options = this.#callOptions(method === "ReportUpdate" ? reportDeadlineMs : unaryDeadlineMs);
      const sent = call(request, metadata, options, (error, reply) => {
        signal?.removeEventListener("abort", cancel);
        if (error) reject(signal?.aborted ? signal.reason : error);
        else resolve(reply as Reply);
      });
      const cancel = (): void => sent.cancel();
      signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  async #retrying<T>(method: string, settings: CallSettings = {}, attempt: () => Promise<T>): Promise<T> {
    const { signal, patienceMs = defaultPatienceMs } = settings;
    try {
      return await retry(attempt, {
        patienceMs,
        // A person waits for Control; reports and checkpoints outwait the mending of a disk.
        retryable: (error) => isTransient(error) && !(method === "Control" && isFailedDisk(error)),
        // Attempts 1, 2, 4, 8, ...: a coordinator that is away for an hour must not fill the logs.
        onRetry: (error, n) => {
          if ((n & (n - 1)) === 0) this.#log?.warn(`${method} failed, attempt ${n}: ${messageOf(error)}`);
        },
        ...(signal ? { signal } : {}),
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw grpcError(this.#peer, method, error);
    }
  }
}
