import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "./errors.ts";
import type { Logger } from "./log.ts";

/** Why a process begins to stop. `signal`: a person or Kubernetes; `parent`: the process that started it is gone. */
export interface StopReason {
  readonly kind: "signal" | "parent" | "asked";
  readonly detail: string; // SIGTERM, "the run is finished", ...
}

interface Closer {
  readonly name: string;
  readonly close: () => void | Promise<void>;
  readonly timeoutMs: number;
}

/**
 * How one process stops, in two steps: `stopping` aborts (begin to drain: finish or give back work), then close()
 * releases everything in the reverse order of its making. It installs nothing by itself: processLifecycle does.
 */
export class Lifecycle {
  readonly #controller = new AbortController();
  readonly #closers: Closer[] = [];
  readonly #log: Logger;
  #closing: Promise<void> | null = null;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Aborts once, when the process begins to stop; its `reason` is a StopReason. */
  get stopping(): AbortSignal {
    return this.#controller.signal;
  }

  /** null while nothing asked it to stop. */
  get reason(): StopReason | null {
    return this.stopping.aborted ? (this.stopping.reason as StopReason) : null;
  }

  /** Begins to stop; later calls change nothing. */
  stop(reason: StopReason): void {
    if (this.stopping.aborted) return;
    this.#log.info(`stopping: ${reason.detail}`);
    this.#controller.abort(reason);
  }

  /** Resolves with the reason when the process begins to stop. */
  stopped(): Promise<StopReason> {
    const { stopping } = this;
    if (stopping.aborted) return Promise.resolve(stopping.reason as StopReason);
    return new Promise((resolve) => {
      stopping.addEventListener("abort", () => resolve(stopping.reason as StopReason), { once: true });
    });
  }

  /** Has `close` run by close(), last registered first. One that takes longer than `timeoutMs` is left behind, loudly. */
  onClose(name: string, close: () => void | Promise<void>, timeoutMs = 10_000): void {
    this.#closers.push({ name, close, timeoutMs });
  }

  /** Runs the closers, once; a failing one is logged and does not keep the others from running. Never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    for (let closer = this.#closers.pop(); closer !== undefined; closer = this.#closers.pop()) {
      const { name, close, timeoutMs } = closer;
      const timer = new AbortController();
      const late = sleep(timeoutMs, "late" as const, { ref: false, signal: timer.signal }).catch(() => "done" as const);
      try {
        const outcome = await Promise.race([Promise.resolve(close()).then(() => "done" as const), late]);
        if (outcome === "late") this.#log.error(`${name} did not close within ${timeoutMs} ms; going on without it`);
      } catch (error) {
        this.#log.error({ err: error }, `${name} failed to close`);
      } finally {
        timer.abort();
      }
    }
  }
}

export interface ProcessLifecycleOptions {
  /** Started by another process of ours (`train`) and to die with it. Default: there is an IPC channel. */
  readonly child?: boolean;
  /** After the parent's death: how long the drain may take before the process exits hard. */
  readonly orphanGraceMs?: number;
}

const parentPollMs = 1_000;

/**
 * The Lifecycle of this process, wired to what can end it. First SIGINT or SIGTERM: stop; second: exit at once, 130 or
 * 143. An unhandled error: logged, exit 1. A child whose parent died (IPC channel closed, or another ppid): stop, and
 * exit hard after the grace, so that nothing is left behind. Call once per process, in its composition root.
 */
export function processLifecycle(log: Logger, options: ProcessLifecycleOptions = {}): Lifecycle {
  const lifecycle = new Lifecycle(log);
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      if (lifecycle.reason === null) return lifecycle.stop({ kind: "signal", detail: signal });
      log.warn(`${signal} again: exiting at once`);
      process.exit(128 + constants.signals[signal]);
    });
  for (const event of ["uncaughtException", "unhandledRejection"] as const)
    process.on(event, (error: unknown) => {
      log.fatal({ err: error }, `${event}: ${messageOf(error)}`);
      process.exit(1);
    });
  if (options.child ?? process.send !== undefined) watchParent(lifecycle, log, options.orphanGraceMs ?? 20_000);
  return lifecycle;
}

function watchParent(lifecycle: Lifecycle, log: Logger, graceMs: number): void {
  const parent = process.ppid;
  const orphaned = (how: string): void => {
    clearInterval(poll);
    lifecycle.stop({ kind: "parent", detail: `the parent process ${parent} is gone (${how})` });
    setTimeout(() => {
      log.fatal(`not stopped ${graceMs} ms after the parent's death: exiting at once`);
      process.exit(1);
    }, graceMs).unref();
  };
  const poll = setInterval(() => {
    if (process.ppid !== parent) orphaned(`ppid is now ${process.ppid}`);
  }, parentPollMs);
  poll.unref();
  if (process.send === undefined) return;
  process.once("disconnect", () => orphaned("IPC channel closed"));
  process.channel?.unref(); // listening must not keep a finished child alive
}
