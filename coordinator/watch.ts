import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type ServerWritableStream, status } from "@grpc/grpc-js";
import type { WatchEvent } from "../proto/gen/anchorage/v1/WatchEvent.ts";
import type { WatchRequest__Output } from "../proto/gen/anchorage/v1/WatchRequest.ts";
import { linkedSignal } from "../shared/linkedSignal.ts";
import { reportOf } from "./metricsLog.ts";
import type { TrainingRun } from "./trainingRun.ts";

const statusEveryMs = 2_000;
const mostWatchers = 100;

type WatchCall = ServerWritableStream<WatchRequest__Output, WatchEvent>;

/**
 * The Watch streams. Each is a cursor into metrics.jsonl: a slow watcher reads later, and nothing is queued for it in
 * memory. After records were cut (a resume from an earlier checkpoint) a watcher sees the repeated updates again.
 */
export class Watchers {
  readonly #run: TrainingRun;
  readonly #closing = new AbortController();
  #open = 0;

  constructor(run: TrainingRun) {
    this.#run = run;
  }

  get open(): number {
    return this.#open;
  }

  /** Breaks all streams off as UNAVAILABLE: the coordinator goes, the run does not, and watchers take it up again. */
  close(): void {
    this.#closing.abort();
  }

  async serve(call: WatchCall): Promise<void> {
    if (this.#open >= mostWatchers)
      return fail(call, status.RESOURCE_EXHAUSTED, `${mostWatchers} watchers are the most`);
    const gone = new AbortController();
    for (const event of ["cancelled", "close", "error"]) call.on(event, () => gone.abort());
    const { signal, release } = linkedSignal(gone.signal, this.#closing.signal);
    this.#open++;
    try {
      await this.#follow(call, signal);
      call.end();
    } catch (error) {
      if (gone.signal.aborted) return; // the watcher went: nobody to tell
      if (!this.#closing.signal.aborted) throw error;
      fail(call, status.UNAVAILABLE, "the coordinator is stopping");
    } finally {
      release();
      this.#open--;
    }
  }

  async #follow(call: WatchCall, signal: AbortSignal): Promise<void> {
    const { metricsLog } = this.#run.parts;
    let seen = call.request.after_update;
    let { cuts } = metricsLog;
    for (;;) {
      const change = changeOf(this.#run, signal); // listens before it looks: no change falls in between
      change.catch(() => undefined); // where a write below fails first, nobody awaits it
      const { over } = this.#run;
      if (metricsLog.cuts !== cuts) {
        cuts = metricsLog.cuts;
        seen = Math.min(seen, metricsLog.last?.update ?? 0);
      }
      for (let i = metricsLog.after(seen); i < metricsLog.length && metricsLog.cuts === cuts; i++) {
        const record = await metricsLog.read(i);
        if (record === null) break; // cut just now
        await write(call, { update: reportOf(record) }, signal);
        seen = record.update;
      }
      await write(call, { status: this.#run.status() }, signal);
      if (over) {
        this.#run.endTold = true;
        return;
      }
      await change;
    }
  }
}

/** Resolves at the run's next change, or after a while; rejects when `signal` aborts. */
async function changeOf(run: TrainingRun, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  const either = linkedSignal(signal, done.signal);
  try {
    await Promise.race([once(run, "changed", either), sleep(statusEveryMs, undefined, either)]);
  } finally {
    done.abort();
    either.release();
  }
}

async function write(call: WatchCall, event: WatchEvent, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (!call.write(event)) await once(call, "drain", { signal });
}

function fail(call: WatchCall, code: status, details: string): void {
  call.emit("error", Object.assign(new Error(details), { code, details }));
}
