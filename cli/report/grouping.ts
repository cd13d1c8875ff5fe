import { selectiveFields, traitsOf } from "../../shared/algorithms.ts";
import { canonicalJson, type RunConfig } from "../../shared/runConfig.ts";
import type { FoundRun } from "./findRuns.ts";
import { type ExcludedRun, finalScore, type RunRecord } from "./readRun.ts";

/** Runs of one environment whose settings differ in nothing but the seed. */
export interface Group {
  readonly environment: string;
  readonly label: string;
  readonly runs: readonly RunRecord[]; // by seed, each seed once
}

export interface Grouping {
  readonly groups: readonly Group[]; // by environment, then label
  readonly excluded: readonly ExcludedRun[];
  /** What a reader must know before believing the averages. */
  readonly notices: readonly string[];
}

type Fields = ReadonlyMap<string, string>; // dotted path to JSON

/**
 * Groups runs by environment and label. A suite's runs keep the suite's label; others get one from the fields in which
 * they differ. Runs of a suite's label whose configs differ beside the seed are split and named, never averaged.
 */
export function groupRuns(found: readonly FoundRun[]): Grouping {
  const notices: string[] = [];
  const excluded: ExcludedRun[] = [];
  const scored = found.filter(({ run }) => {
    if (finalScore(run) !== null) return true;
    excluded.push({ folder: run.folder, what: nameOf(run), reason: "no episode ended in it: it has no return" });
    return false;
  });
  const labels = derivedLabels(scored.filter(({ label }) => label === null).map(({ run }) => run));
  const byKey = new Map<string, { environment: string; label: string; runs: RunRecord[] }>();
  for (const { run, label } of scored) {
    const name = label ?? labels.get(run)!;
    const key = JSON.stringify([run.config.env, name]);
    const group = byKey.get(key) ?? { environment: run.config.env, label: name, runs: [] };
    group.runs.push(run);
    byKey.set(key, group);
  }
  const groups = [...byKey.values()]
    .flatMap((group) => splitMixed(group, notices))
    .map((group) => withoutRepeats(group, excluded));
  noticeBuilds(groups, notices);
  return {
    groups: groups.sort((a, b) => order(a.environment, b.environment) || order(a.label, b.label)),
    excluded,
    notices,
  };
}

/** By words, and by the size of numbers in them: 0.005 before 0.01. */
export function order(a: string, b: string): number {
  const [ours, theirs] = [a, b].map((text) => text.split(/(\d+(?:\.\d+)?(?:e[-+]?\d+)?)/));
  const at = ours!.findIndex((part, i) => part !== theirs![i]);
  if (at === -1) return ours!.length - theirs!.length;
  const [x, y] = [ours![at]!, theirs![at] ?? ""];
  return at % 2 ? Number(x) - Number(y) : x.localeCompare(y, "en");
}

export const nameOf = ({ config: { env, algo, seed }, folder }: RunRecord): string =>
  `${env}, ${algo}, seed ${seed} (${folder})`;

/** The fields that set a run apart: without environment, seed, and what its algorithm does not read or brings itself. */
export function comparableFields(config: RunConfig): Fields {
  const { reads, ignores = [], defaults = {}, fixed = {} } = traitsOf(config.algo);
  const own = new Map(Object.entries({ ...defaults, ...fixed }).map(([field, value]) => [field, canonicalJson(value)]));
  const fields = new Map<string, string>();
  for (const [field, value] of Object.entries(config)) {
    if (field === "env" || field === "seed" || ignores.includes(field)) continue;
    if (selectiveFields.has(field) && !reads.includes(field)) continue;
    if (own.get(field) !== canonicalJson(value)) flatten(field, value, fields);
  }
  return fields;
}

function flatten(path: string, value: unknown, into: Map<string, string>): void {
  if (value !== null && typeof value === "object" && !Array.isArray(value))
    for (const [key, inner] of Object.entries(value)) flatten(`${path}.${key}`, inner, into);
  else into.set(path, canonicalJson(value));
}

/** Paths whose value differs among the given; a field that some do not have differs only if `absenceCounts`. */
function differing(all: readonly Fields[], absenceCounts: boolean): string[] {
  const paths = [...new Set(all.flatMap((fields) => [...fields.keys()]))];
  return paths.filter((path) => {
    const values = all.map((fields) => fields.get(path));
    return new Set(absenceCounts ? values : values.filter((value) => value !== undefined)).size > 1;
  });
}

/** "ano", or "ano, eps 0.3, learningRate 0.001" where runs of one environment differ in these. */
function derivedLabels(runs: readonly RunRecord[]): Map<RunRecord, string> {
  const fields = new Map(runs.map((run) => [run, comparableFields(run.config)]));
  const shown = new Set<string>();
  for (const environment of new Set(runs.map(({ config }) => config.env))) {
    const here = runs.filter(({ config }) => config.env === environment).map((run) => fields.get(run)!);
    for (const path of differing(here, false)) if (path !== "algo") shown.add(path);
  }
  return new Map(
    runs.map((run) => {
      const own = fields.get(run)!;
      const told = [...shown].filter((path) => own.has(path)).map((path) => [path, own.get(path)!] as const);
      return [run, [run.config.algo, ...described(told)].join(", ")];
    }),
  );
}

/** Each as "field value"; epsPos and epsNeg of the same value as one eps. */
function described(told: readonly (readonly [string, string])[]): string[] {
  const values = new Map(told);
  if (values.has("epsPos") && values.get("epsPos") === values.get("epsNeg")) {
    const rest = told.filter(([path]) => path !== "epsPos" && path !== "epsNeg");
    return [["eps", values.get("epsPos")!] as const, ...rest].map(([path, value]) => `${path} ${value}`);
  }
  return told.map(([path, value]) => `${path} ${value}`);
}

function splitMixed(group: Group, notices: string[]): Group[] {
  const fields = group.runs.map(({ config }) => comparableFields(config));
  const paths = differing(fields, true);
  if (paths.length === 0) return [group];
  const parts = new Map<string, RunRecord[]>();
  group.runs.forEach((run, i) => {
    const told = paths.map((path) => [path, fields[i]!.get(path) ?? "(none)"] as const);
    const label = `${group.label} [${described(told).join(", ")}]`;
    parts.set(label, [...(parts.get(label) ?? []), run]);
  });
  const listed = [...parts].map(([label, runs]) => `${label}: ${runs.map(({ folder }) => folder).join(", ")}`);
  notices.push(
    `${group.environment}, ${group.label}: its runs have different settings (${paths.join(", ")}) and are not averaged ` +
      `together: ${listed.join("; ")}.`,
  );
  return [...parts].map(([label, runs]) => ({ environment: group.environment, label, runs }));
}

/** The same settings and the same seed twice are one sample, not two. */
function withoutRepeats(group: Group, excluded: ExcludedRun[]): Group {
  const bySeed = new Map<number, RunRecord>();
  for (const run of group.runs) {
    const first = bySeed.get(run.config.seed);
    if (first === undefined) bySeed.set(run.config.seed, run);
    else
      excluded.push({
        folder: run.folder,
        what: nameOf(run),
        reason: `the same settings and seed as ${first.folder}, which counts: one seed is one sample`,
      });
  }
  return { ...group, runs: [...bySeed.values()].sort((a, b) => a.config.seed - b.config.seed) };
}

function noticeBuilds(groups: readonly Group[], notices: string[]): void {
  const builds = [...new Set(groups.flatMap(({ runs }) => runs.map(({ build }) => build)))];
  if (builds.length > 1) notices.push(`The runs were made by ${builds.length} builds: ${builds.join(", ")}.`);
}
