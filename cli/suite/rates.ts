import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { presetFor } from "../../shared/presets.ts";
import { lastRecord } from "../finishedRun.ts";
import { SuiteChild } from "./suiteChild.ts";
import type { PlannedRun } from "./suitePlan.ts";

/** How fast runs are, as it was measured on this machine. */
export interface Rate {
  readonly secondsPerStep: number; // wall seconds per agent step
  readonly startSeconds: number; // wall seconds of a run beside its steps: processes start, and end
}
export type RateSource = "earlier runs in this folder" | "measured now";

/** Agent steps of a run so far. 0 where none are recorded, or not readably: then `train --resume` says what is wrong. */
export function stepsDone(runDir: string): number {
  try {
    return lastRecord(runDir)?.agent_steps ?? 0;
  } catch (error) {
    if (error instanceof SyntaxError) return 0;
    throw error;
  }
}

const Timed = z.object({ generation: z.int(), agent_steps: z.number(), time: z.iso.datetime() });

/** Of a run in a suite's folder, since it was last gone on with; null: it has too few updates. */
export function earlierRate(runDir: string): Rate | null {
  const file = join(runDir, "metrics.jsonl");
  if (!existsSync(file)) return null;
  const records = readFileSync(file, "utf8")
    .split("\n")
    .slice(0, -1) // what follows the last line's end is empty, or torn
    .flatMap((line) => {
      const { data } = Timed.safeParse(orNull(line));
      return data === undefined ? [] : [data];
    });
  const last = records.at(-1);
  const first = records.find(({ generation }) => generation === last?.generation);
  if (last === undefined || first === undefined || last.agent_steps === first.agent_steps) return null;
  const seconds = (Date.parse(last.time) - Date.parse(first.time)) / 1000;
  return { secondsPerStep: seconds / (last.agent_steps - first.agent_steps), startSeconds: 0 };
}

function orNull(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null; // no record of an update: not counted
  }
}

const measuredUpdates = 3;
const measuredMs = 2_000;

/**
 * Begins the run in a temporary folder, as the suite would, stops it after a few updates and says how fast they were.
 * Throws Error with the run's own words where it fails.
 */
async function measure(run: PlannedRun, how: Measuring): Promise<Rate> {
  const folder = mkdtempSync(join(tmpdir(), "anchorage-rate-"));
  const began = performance.now();
  const seen: { readonly at: number; readonly agentSteps: number }[] = [];
  try {
    const child: SuiteChild = new SuiteChild(run, {
      ...how,
      folder,
      resume: false,
      onUpdate: ({ agentSteps }) => {
        seen.push({ at: performance.now(), agentSteps });
        if (seen.length >= measuredUpdates && performance.now() - seen[0]!.at > measuredMs) child.stop();
      },
    });
    how.signal.addEventListener("abort", () => child.stop(), { once: true });
    const end = await child.ended;
    if (end.state === "failed") throw new Error(end.reason);
    how.signal.throwIfAborted();
    const [first, last] = [seen[0], seen.at(-1)];
    const seconds = (performance.now() - began) / 1000;
    if (first === undefined || last === undefined) throw new Error("it was stopped before its first update");
    if (first === last) return { secondsPerStep: seconds / first.agentSteps, startSeconds: 0 };
    const secondsPerStep = (last.at - first.at) / 1000 / (last.agentSteps - first.agentSteps);
    return { secondsPerStep, startSeconds: Math.max(0, seconds - secondsPerStep * last.agentSteps) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface Measuring {
  readonly deploy?: string | undefined;
  readonly insecure?: boolean | undefined;
  readonly workers: number | null;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

/** Runs that cost the same: one stands for all. Atari games differ in what they show, hardly in what they cost. */
const environmentKey = ({ environment }: Pick<PlannedRun, "environment">): string =>
  presetFor(environment) === "atari" ? "atari" : environment;

/**
 * A function from a run to its rate. Of each environment one algorithm is measured, of each algorithm one environment in
 * each preset family, and the other pairs are put together from the two, since a step costs what the environment takes
 * and what the update takes: t(e, a) = t(e, a0) + t(e0, a) - t(e0, a0).
 */
export async function measuredRates(runs: readonly PlannedRun[], how: Measuring): Promise<(run: PlannedRun) => Rate> {
  const rates = new Map<string, Rate>();
  const wanted = toMeasure(runs);
  for (const [key, run] of wanted) {
    how.say(`Measuring ${run.environment} with ${run.label} (${rates.size + 1} of ${wanted.size})`);
    rates.set(key, await measure(run, how));
  }
  return (run) => rates.get(pairOf(run)) ?? combined(parts(runs, run).map((part) => rates.get(pairOf(part!))!));
}

const pairOf = (run: PlannedRun): string => JSON.stringify([environmentKey(run), run.algorithm]);

/** (e, a0), (e0, a) and (e0, a0) for the run of (e, a), among `runs`; undefined where there is none. */
function parts(runs: readonly PlannedRun[], { environment, algorithm }: PlannedRun): (PlannedRun | undefined)[] {
  const family = runs.filter((run) => presetFor(run.environment) === presetFor(environment));
  const first = family[0]!;
  const key = environmentKey({ environment });
  return [
    family.find((run) => environmentKey(run) === key && run.algorithm === first.algorithm),
    family.find((run) => environmentKey(run) === environmentKey(first) && run.algorithm === algorithm),
    first,
  ];
}

/** One run for each pair that must be measured. Where an earlier run's rate left a gap in the matrix, the pair itself. */
export function toMeasure(runs: readonly PlannedRun[]): Map<string, PlannedRun> {
  const wanted = new Map<string, PlannedRun>();
  for (const run of new Map(runs.map((one) => [pairOf(one), one])).values()) {
    const needed = parts(runs, run);
    const measured = needed.includes(undefined) ? [run] : needed;
    for (const one of measured) wanted.set(pairOf(one!), one!);
  }
  return wanted;
}

export function combined([environment, algorithm, base]: readonly Rate[]): Rate {
  const sum = environment!.secondsPerStep + algorithm!.secondsPerStep - base!.secondsPerStep;
  // What is measured is noisy: a pair is never taken to be far cheaper than both of its parts.
  const least = Math.min(environment!.secondsPerStep, algorithm!.secondsPerStep) / 4;
  return { secondsPerStep: Math.max(sum, least), startSeconds: environment!.startSeconds };
}
