/**
 * What the coordinator and its web page tell each other, as JSON: the events of GET /api/events by name, and the bodies of
 * the other paths (docs/page.md). The browser loads this file, too: it imports nothing.
 */

export type PageRunState = "RUNNING" | "PAUSED" | "STOPPING" | "FINISHED" | "FAILED";

/** Event `run`, first on every connection: what does not change while this coordinator lives. */
export interface PageRun {
  readonly runId: string;
  readonly folder: string; // its path on the coordinator's machine
  readonly build: string;
  readonly created: string; // ISO 8601
  readonly config: Readonly<Record<string, unknown>> & {
    readonly env: string;
    readonly algo: string;
    readonly seed: number;
  };
  readonly updates: number; // in the whole run
  readonly totalSteps: number; // agent steps in the whole run
  /** What makes a stopped or failed run go on. `resume`: it is still served, and only needs to be told. */
  readonly goesOnBy: "train" | "resume" | "coordinator";
  readonly resumeCommand: string;
  /** false: this coordinator takes no orders through the page, whoever asks. */
  readonly controllable: boolean;
  readonly canPlay: boolean;
  readonly canEvaluate: boolean;
}

/** Event `status`: at every change and every two seconds. */
export interface PageStatus {
  readonly state: PageRunState;
  readonly over: boolean;
  readonly failure: string;
  readonly generation: number;
  readonly differences: readonly string[]; // why the run is not reproducible; empty: it is
  readonly updates: number;
  readonly agentSteps: number;
  /** Over about the last half minute; null: too few updates to say. */
  readonly stepsPerSecond: number | null;
  readonly weightsSha256: string; // once finished
  readonly metrics: Readonly<Record<string, number | null>>; // of the newest update
  readonly sinceUpdateSeconds: number | null; // null: none yet
  readonly learner: PageMember | null;
  readonly actors: readonly PageMember[]; // the first `mostActors`
  readonly actorCount: number;
  readonly checkpoints: readonly PageCheckpoint[]; // newest first
  readonly damagedCheckpoints: number;
  readonly evaluations: readonly PageEvaluation[]; // newest first
}

export interface PageMember {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly lastSeenSeconds: number;
  readonly state: "working" | "idle" | "waiting" | "silent" | "starting";
  readonly detail: string; // why it waits
  readonly workers: number | null;
  readonly busyWorkers: number | null;
  readonly stepsPerSecond: number | null; // agent steps collected, over its last heartbeats
  readonly lag: number | null; // updates between the newest policy and the newest that it has
}

export interface PageCheckpoint {
  readonly name: string;
  readonly update: number;
  readonly bytes: number;
  readonly meanReturn: number | null;
  readonly saved: string; // ISO 8601
  readonly best: boolean;
}

export interface PageEvaluation {
  readonly id: number;
  readonly checkpoint: string; // a checkpoint's name
  readonly update: number;
  readonly state: "playing" | "done" | "failed";
  readonly episodes: number;
  readonly mean: number | null;
  readonly std: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly problem: string; // failed: why
}

/** Columns of the learning curves: a metric of metrics.jsonl each, but for the last two. */
export const curveNames = [
  "mean_return",
  "entropy",
  "approx_kl",
  "clip_fraction",
  "explained_variance",
  "learning_rate",
  "policy_loss",
  "value_loss",
  "gradient_norm",
  "ratio_max",
  "ratio_min",
  "mean_episode_length",
  "steps_per_second",
  "learner_waits", // share of the update's time in [0, 1]
  "actors_wait", // share of the update's time in [0, 1]
] as const;
export type CurveName = (typeof curveNames)[number];

/**
 * Events `history` (all of them, in place of what was there) and `updates` (more of them). Point i stands for `stride`
 * updates up to and with update `updates[i]`: the mean of their values; null: no number.
 */
export interface PageCurves {
  readonly stride: number;
  readonly updates: readonly number[];
  readonly agentSteps: readonly number[];
  readonly values: Readonly<Record<CurveName, readonly (number | null)[]>>;
}

/** Event `log`: with `reset` in place of what was there. */
export interface PageLog {
  readonly reset: boolean;
  readonly lines: readonly PageLogLine[];
}

export interface PageLogLine {
  readonly time: string; // ISO 8601; "": the line has none
  readonly level: string;
  readonly component: string;
  readonly text: string;
}

/** GET /api/runs. */
export interface PageSibling {
  readonly name: string;
  readonly env: string;
  readonly algo: string;
  readonly seed: number;
  readonly state: PageRunState;
  readonly own: boolean; // the run that this coordinator serves
}

/** GET /api/runs/<name>. */
export interface PageCurve {
  readonly agentSteps: readonly number[];
  readonly meanReturn: readonly (number | null)[];
  /** Lines of the run's metrics.jsonl that are no record of an update: left out. */
  readonly unreadableLines: number;
}

/** POST /api/session. */
export interface PageSession {
  readonly control: string; // for the authorization header of what changes something
}
