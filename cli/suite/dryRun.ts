import { join } from "node:path";
import { OperatorError } from "../../shared/errors.ts";
import { processLifecycle } from "../../shared/lifecycle.ts";
import { logger } from "../../shared/log.ts";
import { duration, short } from "../progress.ts";
import type { CheckedSuite } from "./checkedSuite.ts";
import { earlierRate, measuredRates, type Rate, type RateSource, stepsDone } from "./rates.ts";
import { statesInFolder } from "./suiteFolder.ts";
import type { PlannedRun } from "./suitePlan.ts";
import { sum } from "./suiteView.ts";

interface Estimated {
  readonly run: PlannedRun;
  readonly state: "finished" | "begun" | "new";
  readonly stepsLeft: number;
  readonly seconds: number; // wall
  readonly rate: Rate | null; // null: nothing is left to do
  readonly source: RateSource | null;
}

/**
 * Lists the runs and estimates how long what is left of them takes. Writes nothing into the suite's folder. Gives the exit
 * status: 0, or 130 where it was stopped while it measured.
 */
export async function dryRun(checked: CheckedSuite): Promise<number> {
  const estimates = await estimate(checked);
  if (estimates === null) {
    process.stderr.write("Stopped while measuring: nothing is estimated.\n");
    return 130;
  }
  const lines = checked.flags.json ? estimates.map((one) => JSON.stringify(asJson(one))) : asTable(checked, estimates);
  process.stdout.write(`${lines.join("\n")}\n`);
  return 0;
}

/** null: stopped. */
async function estimate({ runs, folder, flags, workers }: CheckedSuite): Promise<Estimated[] | null> {
  const states = await statesInFolder(folder, runs);
  const earlier = earlierRates(runs, folder);
  const unknown = runs.filter((run, i) => states[i] !== "finished" && !earlier.has(pairOf(run)));
  const measured = unknown.length === 0 ? null : await measureNow(unknown, { ...flags, workers });
  if (measured === "stopped") return null;
  return runs.map((run, i) => {
    const state = states[i]!;
    if (state === "finished") return { run, state, stepsLeft: 0, seconds: 0, rate: null, source: null };
    const known = earlier.get(pairOf(run));
    const rate = known ?? measured!(run);
    const stepsLeft = Math.max(0, run.totalSteps - (state === "begun" ? stepsDone(join(folder, run.id)) : 0));
    const seconds = rate.startSeconds + stepsLeft * rate.secondsPerStep;
    const source = known ? "earlier runs in this folder" : "measured now";
    return { run, state, stepsLeft, seconds, rate, source };
  });
}

const pairOf = ({ environment, algorithm }: PlannedRun): string => JSON.stringify([environment, algorithm]);

/** By environment and algorithm: the median over the folder's runs of that pair. */
function earlierRates(runs: readonly PlannedRun[], folder: string): Map<string, Rate> {
  const found = new Map<string, Rate[]>();
  for (const run of runs) {
    const rate = earlierRate(join(folder, run.id));
    if (rate !== null) found.set(pairOf(run), [...(found.get(pairOf(run)) ?? []), rate]);
  }
  const median = (rates: Rate[]): Rate =>
    rates.sort((a, b) => a.secondsPerStep - b.secondsPerStep)[Math.floor(rates.length / 2)]!;
  return new Map([...found].map(([pair, rates]) => [pair, median(rates)]));
}

async function measureNow(
  runs: readonly PlannedRun[],
  { deploy, insecure, workers }: CheckedSuite["flags"] & Pick<CheckedSuite, "workers">,
): Promise<((run: PlannedRun) => Rate) | "stopped"> {
  const { stopping: signal } = processLifecycle(logger("suite"));
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  try {
    return await measuredRates(runs, { deploy, insecure, workers, signal, say });
  } catch (cause) {
    if (signal.aborted) return "stopped";
    const problem = `The time cannot be estimated, since a measurement failed: ${(cause as Error).message}.`;
    throw new OperatorError("PROCESS", problem, "The suite's runs would fail likewise; mend that first.", { cause });
  }
}

function asJson({ run, state, stepsLeft, seconds, rate, source }: Estimated): object {
  const { id, label, environment, algorithm, setting, seed, totalSteps } = run;
  return {
    ...{ id, label, environment, algorithm, setting, seed, folder: id, state, totalSteps, stepsLeft },
    estimatedSeconds: Math.round(seconds),
    stepsPerSecond: rate === null ? null : Math.round(1 / rate.secondsPerStep),
    rate: source,
  };
}

function asTable({ folder, jobs }: CheckedSuite, estimates: readonly Estimated[]): string[] {
  const width = Math.max(...estimates.map(({ run }) => run.id.length));
  const rows = estimates.map(({ run, state, seconds, rate }) => {
    const time = rate === null ? "" : `${duration(seconds)} at ${short(1 / rate.secondsPerStep)} steps/s`;
    return `${run.id.padEnd(width)}  ${state.padEnd(8)}  ${short(run.totalSteps).padStart(7)} steps  ${time}`.trimEnd();
  });
  const left = estimates.filter(({ state }) => state !== "finished");
  const seconds = sum(left.map((one) => one.seconds));
  const sources = [...new Set(left.map(({ source }) => source))].join("; ");
  const parallel = jobs === 1 ? "" : `, with ${jobs} at a time at best ${duration(seconds / jobs)}`;
  const total = `${estimates.length} runs, ${left.length} of them left: about ${duration(seconds)} one after the other${parallel}.`;
  return [...rows, total, left.length === 0 ? "" : `Rates: ${sources}. Folder: ${folder}`].filter(
    (line) => line !== "",
  );
}
