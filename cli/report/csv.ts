import type { Estimate } from "./bootstrap.ts";
import type { ReportData } from "./reportData.ts";

type Cell = string | number | null;

/** RFC 4180: a cell with a comma, a quote or a line break is quoted. null and NaN are empty. */
function csv(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cell = (value: Cell): string => {
    if (value === null || (typeof value === "number" && Number.isNaN(value))) return "";
    const text = String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [header, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

const of = (estimate: Estimate | null): Cell[] =>
  estimate === null ? [null, null, null] : [estimate.value, estimate.low, estimate.high];
const named = (name: string): string[] => [name, `${name}_low`, `${name}_high`];

/** The CSV files of a report by name; docs/report.md says what their columns are. */
export function csvFiles(data: ReportData): Record<string, string> {
  const { runs, scores, scales, curves } = data;
  return {
    "runs.csv": csv(
      ["environment", "label", "seed", "agent_steps", "score", "normalised", "build", "folder"],
      runs.map((r) => [r.environment, r.label, r.seed, r.agentSteps, r.score, r.normalised, r.build, r.folder]),
    ),
    "excluded.csv": csv(
      ["run", "reason", "folder"],
      data.excluded.map(({ what, reason, folder }) => [what, reason, folder]),
    ),
    "scores.csv": csv(
      [
        "environment",
        "label",
        "runs",
        ...named("mean"),
        "std",
        "iqm",
        ...named("normalised_mean"),
        "random",
        "reference",
      ],
      scores.map((s) => {
        const { random = null, reference = null } = s.reference ?? {};
        const raw = [...of(s.mean), s.standardDeviation, s.iqm];
        return [s.environment, s.label, s.runs, ...raw, ...of(s.normalisedMean), random, reference];
      }),
    ),
    "aggregates.csv": csv(
      ["scale", "label", "runs", ...["iqm", "mean", "median", "optimality_gap"].flatMap(named)],
      scales.flatMap(({ name, aggregates }) =>
        aggregates.map((a) => [name, a.label, a.runs, ...[a.iqm, a.mean, a.median, a.optimalityGap].flatMap(of)]),
      ),
    ),
    "improvement.csv": csv(
      ["scale", "label", "over", ...named("probability")],
      scales.flatMap(({ name, improvements }) => improvements.map((i) => [name, i.label, i.over, ...of(i)])),
    ),
    "profiles.csv": csv(
      ["scale", "label", "threshold", ...named("share_above")],
      scales.flatMap(({ name, thresholds, profiles }) =>
        profiles.flatMap(({ label, points }) => points.map((point, i) => [name, label, thresholds[i]!, ...of(point)])),
      ),
    ),
    "efficiency.csv": csv(
      ["scale", "label", "agent_steps", ...named("iqm")],
      scales.flatMap(({ name, efficiency }) =>
        efficiency.flatMap(({ label, agentSteps, points }) =>
          points.map((point, i) => [name, label, agentSteps[i]!, ...of(point)]),
        ),
      ),
    ),
    "curves.csv": csv(
      ["environment", "label", "metric", "agent_steps", ...named("mean")],
      curves.flatMap(({ environment, label, metric, agentSteps, points }) =>
        points.map((point, i) => [environment, label, metric, agentSteps[i]!, ...of(point)]),
      ),
    ),
  };
}
