import { Presets, SingleBar } from "cli-progress";
import { duration, short } from "../progress.ts";
import type { RunEnd, UpdateEvent } from "./suiteChild.ts";
import type { PlannedRun } from "./suitePlan.ts";

export interface ViewedSuite {
  readonly name: string;
  readonly folder: string;
  readonly runs: readonly PlannedRun[];
  /** Agent steps that each run has already, by its id; a finished run has them all. */
  readonly stepsBefore: ReadonlyMap<string, number>;
  readonly finishedBefore: number;
  readonly jobs: number;
  readonly json: boolean;
}

/**
 * What a person, or with --json a program, sees of a suite: on a terminal one bar over the agent steps of all runs, else
 * a line every few seconds, and a line for each run that begins or ends. JSON: one object per line on stdout.
 */
export class SuiteView {
  readonly #options: ViewedSuite;
  readonly #beganAt = performance.now();
  readonly #steps: Map<string, number>;
  #stepsBefore: number;
  readonly #running = new Map<string, UpdateEvent | null>();
  readonly #bar: SingleBar | null;
  #wholeSteps: number; // of the runs that have not failed
  #ended: number;
  #failed = 0;
  #lineAt = 0;

  constructor(options: ViewedSuite) {
    this.#options = options;
    this.#steps = new Map(options.stepsBefore);
    this.#stepsBefore = sum(this.#steps.values());
    this.#wholeSteps = sum(options.runs.map(({ totalSteps }) => totalSteps));
    this.#ended = options.finishedBefore;
    const { name, folder, runs, finishedBefore: finished, jobs } = options;
    this.#emit({
      event: "start",
      suite: name,
      folder,
      runs: runs.length,
      finished,
      jobs,
      totalSteps: this.#wholeSteps,
    });
    this.say(
      `Suite ${name}: ${runs.length} runs, ${finished} of them finished, ${short(this.#wholeSteps)} agent steps, ${jobs} at a time. Folder: ${folder}`,
    );
    this.#bar = !options.json && process.stderr.isTTY ? newBar() : null;
    this.#bar?.start(this.#wholeSteps, this.#stepsBefore, { text: "" });
  }

  begun({ id }: PlannedRun, resumed: boolean): void {
    this.#running.set(id, null);
    this.#emit({ event: "run_started", id, resumed });
    this.say(`${resumed ? "Going on with" : "Running"} ${id}`);
  }

  update({ id }: PlannedRun, event: UpdateEvent): void {
    // A run that was killed goes on from its last checkpoint: what it did after that is done again, and does not count.
    if (this.#running.get(id) === null) this.#stepsBefore -= Math.max(0, (this.#steps.get(id) ?? 0) - event.agentSteps);
    this.#running.set(id, event);
    this.#steps.set(id, event.agentSteps);
    const { update, agentSteps, meanReturn = null } = event;
    this.#emit({ event: "run_update", id, update, agentSteps, meanReturn });
    this.#redraw();
  }

  ended({ id, totalSteps }: PlannedRun, end: RunEnd): void {
    this.#running.delete(id);
    if (end.state === "finished") {
      this.#ended++;
      this.#steps.set(id, totalSteps);
      this.#emit({ event: "run_finished", id, ...end.result });
      const { meanReturn } = end.result as { meanReturn?: number | null };
      this.say(`Finished ${id}: mean return ${meanReturn?.toFixed(1) ?? "-"}`);
    } else if (end.state === "failed") {
      this.#failed++;
      this.#wholeSteps -= totalSteps - (this.#steps.get(id) ?? 0);
      this.#bar?.setTotal(this.#wholeSteps);
      this.#emit({ event: "run_failed", id, reason: end.reason });
      this.say(`FAILED ${id}: ${end.reason}`);
    } else {
      this.#emit({ event: "run_stopped", id });
      this.say(`Stopped ${id}`);
    }
    this.#redraw();
  }

  /** A line of its own. */
  say(text: string): void {
    if (this.#options.json) return;
    if (this.#bar) process.stderr.write("\r\x1b[K");
    process.stderr.write(`${text}\n`);
  }

  /** The last words: which runs failed and why, or how to go on. */
  close(runs: readonly { readonly id: string; readonly state: string; readonly reason: string }[], goOn: string): void {
    this.end();
    const failed = runs.filter(({ state }) => state === "failed").map(({ id, reason }) => ({ id, reason }));
    const finished = runs.filter(({ state }) => state === "finished").length;
    const left = runs.length - finished - failed.length;
    const event = left > 0 ? "stopped" : failed.length > 0 ? "failed" : "done";
    this.#emit({ event, folder: this.#options.folder, runs: runs.length, finished, failed, left });
    this.say(`${finished} of ${runs.length} runs are finished${left > 0 ? `, ${left} are left` : ""}.`);
    if (failed.length > 0) {
      this.say(`${failed.length} failed:`);
      for (const { id, reason } of failed) this.say(`  ${id}: ${reason}`);
    }
    if (left > 0 || failed.length > 0) this.say(`Go on, failed runs included, with: ${goOn}`);
  }

  /** Gives the terminal back. */
  end(): void {
    this.#bar?.stop();
  }

  #redraw(): void {
    const steps = sum(this.#steps.values());
    if (this.#bar) return this.#bar.update(steps, { text: this.#text(steps) });
    if (performance.now() - this.#lineAt < 5000) return;
    this.#lineAt = performance.now();
    this.say(`${short(steps)}/${short(this.#wholeSteps)} steps | ${this.#text(steps)}`);
  }

  #text(steps: number): string {
    const seconds = (performance.now() - this.#beganAt) / 1000;
    const rate = (steps - this.#stepsBefore) / seconds; // since this suite was begun or gone on with
    const left = rate > 0 ? duration((this.#wholeSteps - steps) / rate) : "-";
    const failed = this.#failed > 0 ? `, ${this.#failed} failed` : "";
    const now = [...this.#running].map(([id, last]) => {
      const { meanReturn } = last ?? {};
      return `${id} ${meanReturn === undefined || meanReturn === null ? "" : `return ${short(meanReturn)}`}`.trimEnd();
    });
    return `${this.#ended}/${this.#options.runs.length} runs${failed} | ${short(rate)} steps/s | ETA ${left} | ${now.join(", ")}`;
  }

  #emit(event: object): void {
    if (this.#options.json) process.stdout.write(`${JSON.stringify(event)}\n`);
  }
}

function newBar(): SingleBar {
  const format = " {bar} {percentage}% | {text}";
  return new SingleBar(
    { format, hideCursor: true, fps: 4, barsize: 20, stream: process.stderr, forceRedraw: true },
    Presets.shades_classic,
  );
}

export function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
