import { type Line, type LineChart, lineChart, readable } from "./charts.ts";
import { excludedLines } from "./excludedRuns.ts";
import { escaped, figure, interval, legend, table } from "./html.ts";
import { pageStyle } from "./pageStyle.ts";
import type { Metric } from "./readRun.ts";
import type { ReportData } from "./reportData.ts";
import { scaleSection } from "./scaleSection.ts";
import { type Shaping, shapingEps } from "./shaping.ts";

const diagnosticCharts: readonly (Pick<LineChart, "y"> & {
  title: string;
  metrics: readonly Metric[];
  log?: boolean;
})[] = [
  { title: "approximate KL", y: "nats", metrics: ["approx_kl"] },
  { title: "clip fraction", y: "share of samples", metrics: ["clip_fraction"] },
  { title: "ratio extremes", y: "ratio, lowest and highest", metrics: ["ratio_max", "ratio_min"], log: true },
  { title: "entropy", y: "nats", metrics: ["entropy"] },
  { title: "gradient norm", y: "norm before clipping", metrics: ["gradient_norm"] },
  { title: "explained variance", y: "of the returns", metrics: ["explained_variance"] },
];

/** The report as one HTML page: no script, nothing from elsewhere, light or dark as the reader's system is. */
export function reportPage(data: ReportData, shaping: readonly Shaping[]): string {
  const key = legend(data.labels);
  const scales = data.scales.map((scale) => scaleSection(scale, data.labels, key)).join("");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(data.title)} – Anchorage report</title><link rel="icon" href="data:,"><style>${pageStyle}</style></head><body><main>
<h1>${escaped(data.title)}</h1>
<p class="soft">${summary(data)}</p>
<nav aria-label="Sections"><a href="#curves">Learning curves</a><a href="#scores">Final scores</a><a href="#aggregates">Aggregates</a><a href="#diagnostics">Diagnostics</a><a href="#shaping">Objectives</a><a href="#runs">Runs and sources</a></nav>
${warnings(data)}
<section id="curves"><h2>Learning curves</h2>
<p class="soft">Mean return of the newest 100 raw episodes by agent step: mean over seeds, and its 95&nbsp;% bootstrap interval.</p>${key}
<div class="charts">${data.environments.map((environment) => curveFigure(data, environment, ["mean_return"], { title: environment, y: "return" })).join("")}</div></section>
${scoresSection(data)}
<div id="aggregates">${scales}</div>
<section id="diagnostics"><h2>Diagnostics</h2><p class="soft">Of every update, mean over seeds with its 95&nbsp;% bootstrap interval.</p>${key}
${data.environments.map((environment) => diagnosticsOf(data, environment)).join("")}</section>
${shapingSection(shaping)}
${runsSection(data)}
</main></body></html>
`;
}

function summary({ runs, environments, labels, excluded, settings, version }: ReportData): string {
  const left = excluded.length === 0 ? "none left out" : `${excluded.length} left out`;
  const [a, b, c] = [
    [runs.length, "run"],
    [environments.length, "environment"],
    [labels.length, "label"],
  ].map(([n, what]) => `${n} ${what}${n === 1 ? "" : "s"}`);
  return `${a} (${left}), ${b}, ${c}. Intervals: 95&nbsp;% stratified bootstrap, ${settings.resamples} resamples, seed ${settings.seed}. Anchorage ${escaped(version)}.`;
}

function warnings({ excluded, notices }: ReportData): string {
  const list = (items: readonly string[]) => `<ul>${items.map((item) => `<li>${escaped(item)}</li>`).join("")}</ul>`;
  const missing = excludedLines(excluded);
  return (
    (missing.length ? `<aside class="warn"><h2>Runs that are not counted</h2>${list(missing)}</aside>` : "") +
    (notices.length ? `<aside class="warn"><h2>Read this with it</h2>${list(notices)}</aside>` : "")
  );
}

type Look = Pick<LineChart, "y"> & { readonly title: string; readonly log?: boolean };

function curveFigure(data: ReportData, environment: string, metrics: readonly Metric[], look: Look): string {
  const lines: Line[] = data.curves
    .filter((curve) => curve.environment === environment && metrics.includes(curve.metric) && curve.points.length > 0)
    .map(({ label, agentSteps, points }) => ({
      name: label,
      place: data.labels.indexOf(label),
      x: agentSteps,
      points,
    }));
  if (lines.length === 0) return "";
  const numbers = lines.flatMap((line, i) => curveRows(line, lines.findIndex(({ name }) => name === line.name) !== i));
  const header = ["label", "agent steps", "mean", "95 % interval"];
  const title = look.title === environment ? environment : `${environment}: ${look.title}`;
  const chart = lineChart({ x: "agent steps", y: look.y, lines, logarithmic: look.log ?? false });
  return figure(title, chart, table(`${title}, at five points`, header, numbers));
}

function curveRows({ name, x, points }: Line, second: boolean): string[][] {
  const at = [...new Set([0, 0.25, 0.5, 0.75, 1].map((part) => Math.round(part * (points.length - 1))))];
  return at.map((i) => {
    const { value, low, high } = points[i]!;
    return [
      second ? `${name} (lowest)` : name,
      readable(x[i]!),
      readable(value),
      `${readable(low)} to ${readable(high)}`,
    ];
  });
}

function scoresSection({ scores }: ReportData): string {
  const rows = scores.map((s) => [
    s.environment,
    s.label,
    String(s.runs),
    s.runs === 1 ? readable(s.mean.value) : interval(s.mean),
    s.standardDeviation === null ? "–" : readable(s.standardDeviation),
    readable(s.iqm),
    s.normalisedMean === null
      ? "not normalised"
      : `${s.runs === 1 ? readable(s.normalisedMean.value) : interval(s.normalisedMean)} ${s.reference!.kind}`,
  ]);
  const header = ["environment", "label", "runs", "mean (95 % interval)", "std", "IQM", "normalised mean"];
  return `<section id="scores"><h2>Final scores</h2><p class="soft">A run's score is the mean return of the newest 100 raw episodes at its
last update. Normalised: (score − random) / (reference − random).</p>${table("Final scores by environment and label", header, rows)}</section>`;
}

function diagnosticsOf(data: ReportData, environment: string): string {
  const figures = diagnosticCharts
    .map(({ metrics, ...look }) => curveFigure(data, environment, metrics, look))
    .join("");
  const open = data.environments.length <= 2 ? " open" : "";
  return `<details${open}><summary>${escaped(environment)}</summary><div class="charts">${figures}</div></details>`;
}

function shapingSection(shaping: readonly Shaping[]): string {
  const lines = (of: "objective" | "slope"): Line[] =>
    shaping.map(({ name, ratios, ...values }, place) => ({
      name,
      place,
      x: ratios,
      points: values[of].map((value) => ({ value, low: value, high: value })),
    }));
  const shown = (of: "objective" | "slope", y: string, yRange: readonly [number, number]) => {
    const rows = [0.5, 0.8, 1, 1.2, 1.5, 2].map((ratio) => [
      String(ratio),
      ...shaping.map((curve) => readable(curve[of][curve.ratios.findIndex((at) => at >= ratio - 1e-6)]!)),
    ]);
    const numbers = table(`${y} by ratio`, ["ratio", ...shaping.map(({ name }) => name)], rows);
    return figure(y, lineChart({ x: "ratio of new to old probability", y, lines: lines(of), yRange }), numbers);
  };
  return `<section id="shaping"><h2>Objectives</h2><p class="soft">What the objectives make of the ratio for advantage 1 and eps ${shapingEps},
as the learner computes them. The slope weighs a sample's gradient: PPO's falls to 0 at once, SPO's grows without bound, ANO's
turns back and then lets go.</p>${legend(shaping.map(({ name }) => name))}
<div class="charts">${shown("objective", "objective", [-1, 2])}${shown("slope", "slope", [-3, 3])}</div></section>`;
}

function runsSection({ runs, sources }: ReportData): string {
  const rows = runs.map((r) => [
    r.environment,
    r.label,
    String(r.seed),
    readable(r.agentSteps),
    readable(r.score),
    r.normalised === null ? "–" : readable(r.normalised),
    r.build,
  ]);
  const header = ["environment", "label", "seed", "agent steps", "score", "normalised", "build"];
  return `<section id="runs"><h2>Runs and sources</h2>${table("Runs that are counted", header, rows)}
<p><small>Reference scores. ${escaped(sources.human)} ${escaped(sources.expert)}</small></p>
<p><small>Statistics: Agarwal et al. 2021, arXiv:2108.13264. All numbers: report.json and the CSV files beside this page.</small></p></section>`;
}
