import { type BootstrapSettings, type Estimate, estimate, estimateOfPair, estimates } from "./bootstrap.ts";
import { type Curve, efficiencyCurve } from "./curves.ts";
import type { Group } from "./grouping.ts";
import { finalScore } from "./readRun.ts";
import { normalised, type Reference, referenceOf } from "./referenceScores.ts";
import {
  aggregateIqm,
  aggregateMean,
  aggregateMedian,
  optimalityGap,
  performanceProfile,
  probabilityOfImprovement,
  type Scores,
} from "./statistics.ts";

export type Normalisation = Reference["kind"] | "none";

/** Environments whose scores may be aggregated: normalised ones of one kind, or a single environment's raw returns. */
export interface Scale {
  readonly name: string;
  readonly normalisation: Normalisation;
  readonly environments: readonly string[];
  readonly aggregates: readonly Aggregate[];
  readonly thresholds: readonly number[];
  readonly profiles: readonly { readonly label: string; readonly points: readonly Estimate[] }[];
  readonly improvements: readonly Improvement[];
  /** Interquartile mean by agent step; none for raw returns, whose learning curve shows the same. */
  readonly efficiency: readonly ({ readonly label: string } & Omit<Curve, "metric">)[];
}

export interface Aggregate {
  readonly label: string;
  readonly runs: number;
  readonly iqm: Estimate;
  readonly mean: Estimate;
  readonly median: Estimate;
  readonly optimalityGap: Estimate | null; // null: raw returns have no optimum to fall short of
}

/** P(a run of `label` scores higher than one of `over`). */
export interface Improvement extends Estimate {
  readonly label: string;
  readonly over: string;
}

export interface ScaleSettings extends BootstrapSettings {
  readonly curveResamples: number;
}

/** Scores of a group as its scale counts them. */
export function scaledScores(group: Group): Float64Array {
  const reference = referenceOf(group.environment);
  return Float64Array.from(group.runs, (run) => {
    const score = finalScore(run)!; // grouping let only runs with a score through
    return reference ? normalised(score, reference) : score;
  });
}

/**
 * Aggregates over each scale's environments. A label without a run in some of them is left out there and named in
 * `notices`: a mean over other environments is not comparable.
 */
export function scalesOf(groups: readonly Group[], settings: ScaleSettings, notices: string[]): Scale[] {
  const bySpan = new Map<string, { normalisation: Normalisation; groups: Group[] }>();
  for (const group of groups) {
    const normalisation = referenceOf(group.environment)?.kind ?? "none";
    const name = {
      human: "Human-normalised Atari score",
      expert: "Expert-normalised MuJoCo score",
      none: `Return of ${group.environment}`,
    }[normalisation];
    const span = bySpan.get(name) ?? { normalisation, groups: [] };
    span.groups.push(group);
    bySpan.set(name, span);
  }
  return [...bySpan].map(([name, span]) => scaleOf(name, span.normalisation, span.groups, settings, notices));
}

function scaleOf(
  name: string,
  normalisation: Normalisation,
  groups: readonly Group[],
  settings: ScaleSettings,
  notices: string[],
): Scale {
  const environments = [...new Set(groups.map(({ environment }) => environment))];
  const complete = new Map<string, Group[]>();
  for (const label of new Set(groups.map((group) => group.label))) {
    const own = environments.map((environment) =>
      groups.find((g) => g.environment === environment && g.label === label),
    );
    const missing = environments.filter((_, i) => own[i] === undefined);
    if (missing.length === 0) complete.set(label, own as Group[]);
    else notices.push(`${name}: ${label} is not aggregated, because it has no finished run in ${missing.join(", ")}.`);
    noticeUneven(name, label, own as Group[], missing.length === 0, notices);
  }
  const scores = new Map([...complete].map(([label, own]) => [label, own.map(scaledScores)]));
  const thresholds = thresholdsFor([...scores.values()], normalisation);
  const curves = { resamples: settings.curveResamples, seed: settings.seed };
  return {
    name,
    normalisation,
    environments,
    aggregates: [...scores].map(([label, own]) => aggregateOf(label, own, normalisation, settings)),
    thresholds,
    profiles: [...scores].map(([label, own]) => ({
      label,
      points: estimates(own, (drawn) => performanceProfile(drawn, thresholds), curves),
    })),
    improvements: improvementsOf(scores, settings),
    efficiency:
      normalisation === "none" ? [] : [...complete].map(([label, own]) => ({ label, ...efficiencyCurve(own, curves) })),
  };
}

function noticeUneven(name: string, label: string, own: readonly Group[], complete: boolean, notices: string[]): void {
  if (!complete) return;
  const seeds = own.map(({ runs }) => runs.length);
  if (new Set(seeds).size === 1) return;
  const listed = own.map(({ environment, runs }) => `${environment} ${runs.length}`).join(", ");
  notices.push(
    `${name}: ${label} has different numbers of runs: ${listed}. Its interquartile mean weighs each run alike.`,
  );
}

function aggregateOf(
  label: string,
  scores: Scores,
  normalisation: Normalisation,
  settings: BootstrapSettings,
): Aggregate {
  return {
    label,
    runs: scores.reduce((sum, runs) => sum + runs.length, 0),
    iqm: estimate(scores, aggregateIqm, settings),
    mean: estimate(scores, aggregateMean, settings),
    median: estimate(scores, aggregateMedian, settings),
    optimalityGap: normalisation === "none" ? null : estimate(scores, (drawn) => optimalityGap(drawn), settings),
  };
}

/** Every pair once; the other direction is 1 minus it. */
function improvementsOf(scores: ReadonlyMap<string, Scores>, settings: BootstrapSettings): Improvement[] {
  const labels = [...scores.keys()];
  return labels.flatMap((label, i) =>
    labels.slice(i + 1).map((over) => ({
      label,
      over,
      ...estimateOfPair(scores.get(label)!, scores.get(over)!, probabilityOfImprovement, settings),
    })),
  );
}

/** 61 thresholds from 0 (or the lowest score, where it is below) to the highest score. */
function thresholdsFor(all: readonly Scores[], normalisation: Normalisation): number[] {
  const values = all.flatMap((scores) => scores.flatMap((runs) => [...runs]));
  if (values.length === 0) return [];
  const low = Math.min(normalisation === "none" ? Infinity : 0, ...values);
  const high = Math.max(low + 1e-9, ...values);
  return Array.from({ length: 61 }, (_, i) => low + ((high - low) * i) / 60);
}
