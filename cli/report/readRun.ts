import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, OperatorError } from "../../shared/errors.ts";
import { RunConfig } from "../../shared/runConfig.ts";

/** What a report shows of an update, beside the return: fields of metrics.jsonl (docs/metrics.md). */
export const diagnostics = [
  "approx_kl",
  "clip_fraction",
  "ratio_max",
  "ratio_min",
  "entropy",
  "gradient_norm",
  "explained_variance",
] as const;
export type Diagnostic = (typeof diagnostics)[number];
export type Metric = "mean_return" | Diagnostic;

/** A run as a report needs it. */
export interface RunRecord {
  readonly folder: string;
  readonly config: RunConfig;
  readonly build: string; // that made the run folder
  readonly agentSteps: Float64Array; // [updates], rising
  readonly metrics: Readonly<Record<Metric, Float64Array>>; // [updates]; NaN where there was no number
}

/** A run that counts in no statistic, and why. */
export interface ExcludedRun {
  readonly folder: string;
  readonly what: string; // environment, label and seed as far as they are known
  readonly reason: string;
}

const State = z.object({ state: z.string(), failure: z.string().default("") });
const Line = z.object({ agent_steps: z.number() }).loose();

/** Why a run folder's run is not finished, or null if it is. Throws as `readRun`. */
export function whyUnfinished(folder: string): string | null {
  const { state, failure } = parsed(folder, "state.json", State);
  if (state === "FINISHED") return null;
  if (state === "FAILED") return `failed: ${failure || "state.json gives no reason"}`;
  return `not finished: ${state.toLowerCase()}${failure && `, ${failure}`}`;
}

export const readConfig = (folder: string): RunConfig => parsed(folder, "config.json", RunConfig);

/** Reads a run folder. Throws STORAGE for a file that cannot be read, CORRUPT for one that is not what it should be. */
export function readRun(folder: string): RunRecord {
  const config = readConfig(folder);
  const { build } = parsed(folder, "run.json", z.object({ build: z.string() }));
  const lines = readText(folder, "metrics.jsonl")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line, i) => checked(line, join(folder, `metrics.jsonl, line ${i + 1}`), Line));
  const column = (name: string): Float64Array =>
    Float64Array.from(lines, (line) => (typeof line[name] === "number" ? line[name] : Number.NaN));
  const metrics = Object.fromEntries(["mean_return", ...diagnostics].map((name) => [name, column(name)]));
  return { folder, config, build, agentSteps: column("agent_steps"), metrics: metrics as RunRecord["metrics"] };
}

/** The run's score: mean return over the newest 100 raw episodes at its last update; null if no episode ended. */
export function finalScore(run: RunRecord): number | null {
  const last = run.metrics.mean_return.at(-1);
  return last === undefined || Number.isNaN(last) ? null : last;
}

function parsed<T>(folder: string, name: string, schema: z.ZodType<T>): T {
  return checked(readText(folder, name), join(folder, name), schema);
}

/** `text` as JSON of the schema. Throws CORRUPT naming the file. */
export function checked<T>(text: string, source: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : messageOf(cause);
    throw new OperatorError("CORRUPT", `${source} is not readable: ${why}.`, "Restore it, or leave this run out.", {
      cause,
    });
  }
}

export function readText(folder: string, name: string): string {
  try {
    return readFileSync(join(folder, name), "utf8");
  } catch (cause) {
    const problem = `${join(folder, name)} cannot be read: ${messageOf(cause)}.`;
    throw new OperatorError("STORAGE", problem, "Is it a whole run folder, and yours to read?", { cause });
  }
}
