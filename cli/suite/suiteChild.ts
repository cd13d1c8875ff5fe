import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { withLogInRun } from "../openInRun.ts";
import type { PlannedRun } from "./suitePlan.ts";

/** How a run of the suite ended. */
export type RunEnd =
  | { readonly state: "finished"; readonly result: Readonly<Record<string, unknown>> }
  | { readonly state: "failed"; readonly reason: string }
  | { readonly state: "stopped" };

export interface ChildOptions {
  /** Holds the run's folder, by its id, and logs/. */
  readonly folder: string;
  readonly resume: boolean;
  readonly deploy?: string | undefined;
  readonly insecure?: boolean | undefined;
  /** Rollout workers of its actor; null: as `train` chooses. */
  readonly workers: number | null;
  /** Over the run's own settings, as for a measurement. */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly onUpdate: (event: UpdateEvent) => void;
}

/** What is read here of train's `update` events, which have every metric of the update beside it. */
export interface UpdateEvent {
  readonly update: number;
  readonly agentSteps: number;
  readonly meanReturn?: number | null;
}

/**
 * One run of a suite: `anchorage train --json` in a process group of its own, so that Ctrl-C reaches only the suite,
 * with an IPC channel and a pipe, by which it notices the suite's death and ends.
 */
export class SuiteChild {
  readonly run: PlannedRun;
  readonly ended: Promise<RunEnd>;
  readonly #child: ChildProcess;
  #stopping = false;

  /** Throws STORAGE if its log cannot be opened. */
  constructor(run: PlannedRun, options: ChildOptions) {
    this.run = run;
    const env = { ...process.env };
    if (options.workers !== null) env.ANCHORAGE_ACTOR_WORKERS = String(options.workers);
    this.#child = withLogInRun(options.folder, "logs", `${run.id}.log`, (log) =>
      fork(process.argv[1]!, trainArguments(run, options), {
        stdio: ["ignore", "pipe", log, "ipc"],
        detached: true,
        env,
      }),
    );
    this.ended = this.#follow(options, `See ${join(options.folder, "logs", `${run.id}.log`)}.`);
  }

  /** Asks it to stop with a checkpoint; asked again, it ends at once with all of its processes. */
  stop(): void {
    this.#stopping = true;
    this.#child.kill("SIGINT");
  }

  async #follow({ onUpdate }: ChildOptions, whereLogged: string): Promise<RunEnd> {
    let last: Record<string, unknown> = {};
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      const event = parsed(line);
      if (event?.event === "update") onUpdate(event as unknown as UpdateEvent);
      if (["done", "failed", "stopped"].includes(String(event?.event))) last = event!;
    });
    let status: number | null;
    let signal: NodeJS.Signals | null;
    try {
      [status, signal] = (await once(this.#child, "close")) as [number | null, NodeJS.Signals | null];
    } catch (error) {
      return { state: "failed", reason: `train cannot be started: ${(error as Error).message}` };
    }
    if (last.event === "done" && status === 0) {
      const { event: _, ...result } = last;
      return { state: "finished", result };
    }
    if (last.event === "failed") return { state: "failed", reason: String(last.message) };
    if (last.event === "stopped" || this.#stopping) return { state: "stopped" };
    return { state: "failed", reason: `train ended with ${signal ?? `exit status ${status}`}. ${whereLogged}` };
  }
}

function trainArguments(run: PlannedRun, { folder, resume, deploy, insecure, settings }: ChildOptions): string[] {
  const assignments = Object.entries({ ...run.given, ...settings }).filter(
    ([field]) => !["env", "algo"].includes(field),
  );
  return [
    ...["train", "--json", "--run-dir", join(folder, run.id), "--env", run.environment, "--algo", run.algorithm],
    ...assignments.flatMap(([field, value]) => ["--set", `${field}=${JSON.stringify(value)}`]),
    ...(resume ? ["--resume"] : []),
    ...(deploy === undefined ? [] : ["--deploy", deploy]),
    ...(insecure ? ["--insecure"] : []),
  ];
}

/** null: no event, such as a line that was cut off by the process's end. */
function parsed(line: string): Record<string, unknown> | null {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
}
