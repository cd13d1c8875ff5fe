import { packageVersion } from "../../shared/build.ts";
import { type Estimate, estimate } from "./bootstrap.ts";
import { type Curve, groupCurve } from "./curves.ts";
import { findRuns } from "./findRuns.ts";
import { type Group, groupRuns, order } from "./grouping.ts";
import { diagnostics, type ExcludedRun, finalScore, type Metric } from "./readRun.ts";
import { normalised, type Reference, referenceOf, referenceSources } from "./referenceScores.ts";
import { type Scale, type ScaleSettings, scalesOf } from "./scales.ts";
import { aggregateMean, interquartileMean, standardDeviation } from "./statistics.ts";

/** Everything that a report shows: report.json is this, and the page and the CSV files are made from nothing else. */
export interface ReportData {
  readonly anchorageReport: 1; // format
  readonly version: string; // of the build that made the report
  readonly title: string;
  readonly settings: ScaleSettings;
  readonly labels: readonly string[];
  readonly environments: readonly string[];
  readonly runs: readonly ReportedRun[];
  readonly excluded: readonly ExcludedRun[];
  readonly notices: readonly string[];
  readonly scores: readonly GroupScore[];
  readonly scales: readonly Scale[];
  readonly curves: readonly ({ readonly environment: string; readonly label: string } & Curve)[];
  readonly sources: typeof referenceSources;
}

export interface ReportedRun {
  readonly environment: string;
  readonly label: string;
  readonly seed: number;
  readonly agentSteps: number;
  readonly score: number;
  readonly normalised: number | null; // null: no published reference
  readonly folder: string;
  readonly build: string;
}

/** Final scores of an environment's runs of one label. */
export interface GroupScore {
  readonly environment: string;
  readonly label: string;
  readonly runs: number;
  readonly mean: Estimate;
  readonly standardDeviation: number | null; // unbiased; null: one run
  readonly iqm: number;
  readonly normalisedMean: Estimate | null;
  readonly reference: Reference | null;
}

const metricsShown: readonly Metric[] = ["mean_return", ...diagnostics];

/** Reads the folders' runs and computes all of a report's numbers. A function of the files and the settings. */
export function reportData(folders: readonly string[], settings: ScaleSettings): ReportData {
  const { found, excluded, suites } = findRuns(folders);
  const grouping = groupRuns(found);
  const { groups } = grouping;
  const notices = [...grouping.notices];
  noticeSingleSeeds(groups, notices);
  const environments = [...new Set(groups.map(({ environment }) => environment))];
  const without = environments.filter((environment) => referenceOf(environment) === null);
  if (without.length > 0)
    notices.push(`Not normalised, because no reference scores are published for them: ${without.join(", ")}.`);
  const scales = scalesOf(groups, settings, notices);
  const curveSettings = { resamples: settings.curveResamples, seed: settings.seed };
  return {
    anchorageReport: 1,
    version: packageVersion,
    title: suites.length > 0 ? suites.join(", ") : environments.length > 3 ? "Report" : environments.join(", "),
    settings,
    labels: [...new Set(groups.map(({ label }) => label))].sort(order),
    environments,
    runs: groups.flatMap(reportedRuns),
    excluded: [...excluded, ...grouping.excluded],
    notices,
    scores: groups.map((group) => scoreOf(group, settings)),
    scales,
    curves: groups.flatMap((group) =>
      metricsShown.map((metric) => {
        const { environment, label } = group;
        return { environment, label, ...groupCurve(group, metric, curveSettings) };
      }),
    ),
    sources: referenceSources,
  };
}

function reportedRuns({ environment, label, runs }: Group): ReportedRun[] {
  const reference = referenceOf(environment);
  return runs.map((run) => {
    const score = finalScore(run)!; // grouping let only runs with a score through
    return {
      environment,
      label,
      seed: run.config.seed,
      agentSteps: run.agentSteps.at(-1)!,
      score,
      normalised: reference && normalised(score, reference),
      folder: run.folder,
      build: run.build,
    };
  });
}

function scoreOf(group: Group, settings: ScaleSettings): GroupScore {
  const reference = referenceOf(group.environment);
  const raw = Float64Array.from(group.runs, (run) => finalScore(run)!);
  const scaled = reference && raw.map((score) => normalised(score, reference));
  return {
    environment: group.environment,
    label: group.label,
    runs: raw.length,
    mean: estimate([raw], aggregateMean, settings),
    standardDeviation: raw.length > 1 ? standardDeviation(raw) : null,
    iqm: interquartileMean(raw),
    normalisedMean: scaled && estimate([scaled], aggregateMean, settings),
    reference,
  };
}

function noticeSingleSeeds(groups: readonly Group[], notices: string[]): void {
  const single = groups
    .filter(({ runs }) => runs.length === 1)
    .map(({ environment, label }) => `${environment} ${label}`);
  if (single.length > 0)
    notices.push(`One run only, so that its interval says nothing of the spread over seeds: ${single.join("; ")}.`);
}
