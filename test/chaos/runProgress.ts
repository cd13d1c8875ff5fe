import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { recordFault } from "./chaosReport.ts";
import { type UpdateRecord, updateRecords } from "./runRecord.ts";

export interface RunProgressOptions {
  readonly runDir: string;
  readonly label: string; // the test's name, for the table of faults
  /** Throws when a process that is needed has ended. */
  readonly checkAlive: () => void | Promise<void>;
  /** What the processes said last, for errors. */
  readonly said: () => string;
}

/**
 * By then training must go on after any fault: seconds on a free machine, up to 49 s were seen where thirty programs wanted two
 * cores. A run that waits for a connection's or a retry's time to run out takes longer.
 */
const recoveryMs = 90_000;

/** How far a run is, by what its coordinator wrote: for waiting, and for measuring what a fault cost. */
export class RunProgress {
  readonly #options: RunProgressOptions;

  constructor(options: RunProgressOptions) {
    this.#options = options;
  }

  /** Updates that the coordinator has recorded so far, each once. */
  records(): UpdateRecord[] {
    return updateRecords(this.#options.runDir);
  }

  get newest(): number {
    return this.records().at(-1)?.update ?? 0;
  }

  get over(): boolean {
    const file = join(this.#options.runDir, "state.json");
    return existsSync(file) && (JSON.parse(readFileSync(file, "utf8")) as { state: string }).state === "FINISHED";
  }

  /** The record of the first update that is `wanted`; throws when a process ends unasked, time is up or the run is over. */
  async record(wanted: (record: UpdateRecord) => boolean, timeoutMs?: number): Promise<UpdateRecord> {
    const found = await this.#recordOrEnd(wanted, timeoutMs);
    if (found === null) throw new Error(`the run was over at update ${this.newest}, before what was waited for`);
    return found;
  }

  /** As Fleet.recovered. */
  async recovered(
    kind: string,
    { timeoutMs = recoveryMs, whileEnding = false }: RecoveryOptions = {},
  ): Promise<number | null> {
    const since = Date.now();
    const update = this.newest;
    const next = await this.#recordOrEnd(({ time }) => Date.parse(time) > since, timeoutMs);
    if (next === null && !whileEnding)
      throw new Error(`${kind}: the run was over at update ${update}, before the fault was; give it more updates`);
    const recoverySeconds = next === null ? null : (Date.parse(next.time) - since) / 1000;
    recordFault({ kind, test: this.#options.label, update, recoverySeconds });
    return recoverySeconds;
  }

  /** null: the run is over, and there is none. */
  async #recordOrEnd(wanted: (record: UpdateRecord) => boolean, timeoutMs = 240_000): Promise<UpdateRecord | null> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const over = this.over; // first: the last record is written before that
      const found = this.records().find(wanted);
      if (found !== undefined || over) return found ?? null;
      await this.#options.checkAlive();
      if (performance.now() > deadline)
        throw new Error(
          `no such update in ${timeoutMs / 1000} s; the newest is ${this.newest}. ${this.#options.said()}`,
        );
      await delay(20);
    }
  }
}

export interface RecoveryOptions {
  readonly timeoutMs?: number;
  /** The fault is one at the end of the run: no update need be left. */
  readonly whileEnding?: boolean;
}
