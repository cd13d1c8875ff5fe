import type { RunState__Output } from "../proto/gen/anchorage/v1/RunState.ts";
import type { Status__Output } from "../proto/gen/anchorage/v1/Status.ts";
import type { UpdateReport__Output } from "../proto/gen/anchorage/v1/UpdateReport.ts";
import { type RunConfig, runShape } from "../shared/runConfig.ts";
import type { RunResult } from "./finishedRun.ts";
import { humanProgress, type Progress } from "./progress.ts";

export interface ViewedRun {
  readonly config: RunConfig;
  readonly runDir: string;
  readonly resume: boolean;
  readonly json: boolean;
}

export interface Outcome {
  readonly state: RunState__Output;
  readonly failure: string;
  readonly status: Status__Output;
}

/** What a person, or with --json a program, sees of a run. JSON: one object per line on stdout, `event` names its kind. */
export class RunView {
  readonly #options: ViewedRun;
  readonly #progress: Progress | null; // null: --json
  readonly #rounds: number;
  readonly #totalSteps: number;
  #seen = 0;
  #state: RunState__Output | null = null;
  #metricsPort = 0;
  #damaged = 0; // checkpoints
  #ended = false;

  constructor(options: ViewedRun) {
    this.#options = options;
    this.#progress = options.json ? null : humanProgress();
    const { rounds, stepsPerRound } = runShape(options.config);
    this.#rounds = rounds;
    this.#totalSteps = rounds * stepsPerRound;
    const { env, algo, seed } = options.config;
    this.#emit({
      event: "start",
      runDir: options.runDir,
      env,
      algo,
      seed,
      updates: rounds,
      totalSteps: this.#totalSteps,
      resumed: options.resume,
    });
    this.#progress?.say(
      `Training ${env} with ${algo}, seed ${seed}: ${rounds} updates of ${stepsPerRound} agent steps. Run folder: ${options.runDir}`,
    );
  }

  /** The newest update shown, counted from 1: the stream goes on after it. */
  get seen(): number {
    return this.#seen;
  }

  /** A resumed run's earlier updates were shown when they were made. */
  resumeAfter(updates: number): void {
    this.#seen = updates;
  }

  update(report: UpdateReport__Output): void {
    this.#seen = report.update;
    const { update, agent_steps: agentSteps, metrics } = report;
    this.#emit({ event: "update", update, agentSteps, ...camelCased(metrics) });
    this.#progress?.update({ update, updates: this.#rounds, agentSteps, totalSteps: this.#totalSteps, metrics });
  }

  status(status: Status__Output): void {
    if (status.metrics_port !== 0 && status.metrics_port !== this.#metricsPort) {
      this.#metricsPort = status.metrics_port;
      this.#progress?.say(`Metrics: http://127.0.0.1:${status.metrics_port}/metrics`);
      if (status.page !== "") this.#progress?.say(`Page:    ${status.page}`);
      this.#emit({ event: "serving", metricsPort: status.metrics_port, page: status.page || null });
    }
    const damaged = status.run?.damaged_checkpoints ?? 0;
    if (damaged > this.#damaged) {
      const folder = `${this.#options.runDir}/checkpoints`;
      this.#progress?.say(`DAMAGED checkpoints, not used and set aside as ${folder}/*.damaged: ${damaged}`);
      this.#emit({ event: "checkpoint_damaged", count: damaged, newest: status.run?.newest_checkpoint });
      this.#damaged = damaged;
    }
    const state = status.run?.state ?? null;
    if (state === null || state === this.#state) return;
    this.#state = state;
    this.#emit({ event: "state", state: state.toLowerCase() });
  }

  say(text: string): void {
    this.#progress?.say(text);
    if (this.#progress === null) process.stderr.write(`${text}\n`);
  }

  /** The last words of a run that came to an end of its own or was stopped. */
  close({ state, failure, status }: Outcome): void {
    this.end();
    const { runDir } = this.#options;
    const result = {
      agentSteps: status.agent_steps,
      updates: status.updates,
      meanReturn: numberOrNull(status.metrics.mean_return),
    };
    if (state === "FINISHED") {
      this.done({ ...result, weightsSha256: status.weights_sha256 });
    } else if (state === "FAILED") {
      this.#emit({ event: "failed", ...result, message: failure });
      this.say(`The run failed: ${failure}`);
    } else {
      this.#emit({ event: "stopped", ...result });
      this.say(
        `Stopped after ${result.updates} of ${this.#rounds} updates. Go on with: npm start -- --resume --run-dir ${runDir}`,
      );
    }
  }

  /** The last words of a run that is finished, now or already before. */
  done(result: RunResult): void {
    const { agentSteps, updates, meanReturn, weightsSha256 } = result;
    this.#emit({ event: "done", agentSteps, updates, meanReturn, weightsSha256 });
    this.#progress?.say(
      `Done: ${updates} updates, ${agentSteps} agent steps, mean return ${meanReturn?.toFixed(1) ?? "-"}, weights ${weightsSha256.slice(0, 16)}. Policy: ${this.#options.runDir}/policy.onnx`,
    );
  }

  /** Gives the terminal back; the error that ended `train`, if one did, is printed by its caller. */
  end(): void {
    if (!this.#ended) this.#progress?.close();
    this.#ended = true;
  }

  #emit(event: object): void {
    if (this.#options.json) process.stdout.write(`${JSON.stringify(event)}\n`);
  }
}

/** metrics travel and are stored as snake_case, as Prometheus has them; JSON events are camelCase throughout. */
function camelCased(metrics: Readonly<Record<string, number>>): Record<string, number | null> {
  const rename = (name: string): string => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [rename(name), numberOrNull(value)]));
}

/** JSON knows no NaN: a mean of no episodes is null. */
function numberOrNull(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}
