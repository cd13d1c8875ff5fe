import { type BootstrapSettings, type Estimate, estimates } from "./bootstrap.ts";
import type { Group } from "./grouping.ts";
import type { Metric, RunRecord } from "./readRun.ts";
import { normalised, referenceOf } from "./referenceScores.ts";
import { aggregateIqm, mean } from "./statistics.ts";

/** A metric by agent step over the runs of a group: mean and the 95 % bootstrap interval of the mean. */
export interface Curve {
  readonly metric: Metric;
  readonly agentSteps: readonly number[];
  readonly points: readonly Estimate[];
}

/** Points of a curve: what a chart of 400 pixels can show. */
const gridPoints = 80;

/**
 * The grid that all runs have values on: from the first step at which each has one to the last step of the shortest.
 * Empty where they have none in common.
 */
function commonGrid(runs: readonly RunRecord[], metric: Metric, points = gridPoints): number[] {
  const first = Math.max(
    ...runs.map((run) => run.agentSteps[run.metrics[metric].findIndex((x) => !Number.isNaN(x))] ?? Infinity),
  );
  const last = Math.min(...runs.map((run) => run.agentSteps.at(-1) ?? -Infinity));
  if (!(first <= last)) return [];
  const apart = Math.max(1, Math.min(points - 1, runs[0]!.agentSteps.filter((at) => at > first && at <= last).length));
  return Array.from({ length: apart + 1 }, (_, i) => Math.round(first + ((last - first) * i) / apart));
}

/** The newest number that a run had at each of the steps: no value is made up between updates. */
export function valuesAt(run: RunRecord, metric: Metric, steps: readonly number[]): Float64Array {
  const values = run.metrics[metric];
  let at = -1;
  let newest = Number.NaN;
  return Float64Array.from(steps, (step) => {
    while (at + 1 < values.length && run.agentSteps[at + 1]! <= step) {
      at++;
      if (!Number.isNaN(values[at]!)) newest = values[at]!;
    }
    return newest;
  });
}

/** A group's curve of one metric; no points where its runs never had that metric. */
export function groupCurve(group: Group, metric: Metric, settings: BootstrapSettings): Curve {
  const agentSteps = commonGrid(group.runs, metric);
  const rows = group.runs.map((run) => valuesAt(run, metric, agentSteps));
  const points = acrossRuns(rows, agentSteps.length, settings);
  return { metric, agentSteps, points };
}

// whole runs are drawn, so that a curve's points belong together
function acrossRuns(rows: readonly Float64Array[], points: number, settings: BootstrapSettings): Estimate[] {
  const which = [Float64Array.from(rows, (_, run) => run)];
  return estimates(
    which,
    ([drawn]) => Float64Array.from({ length: points }, (_, point) => mean(drawn!.map((run) => rows[run]![point]!))),
    settings,
  );
}

/** Interquartile mean of the normalised score by agent step, over the environments' runs: sample efficiency. */
export function efficiencyCurve(groups: readonly Group[], settings: BootstrapSettings): Omit<Curve, "metric"> {
  const runs = groups.flatMap((group) => group.runs);
  const agentSteps = commonGrid(runs, "mean_return", 40);
  const rows = groups.map((group) => {
    const reference = referenceOf(group.environment);
    return group.runs.map((run) =>
      valuesAt(run, "mean_return", agentSteps).map((score) => (reference ? normalised(score, reference) : score)),
    );
  });
  const which = rows.map((own) => Float64Array.from(own, (_, run) => run));
  const points = estimates(
    which,
    (drawn) =>
      Float64Array.from({ length: agentSteps.length }, (_, point) =>
        aggregateIqm(drawn.map((own, task) => own.map((run) => rows[task]![run]![point]!))),
      ),
    settings,
  );
  return { agentSteps, points };
}
