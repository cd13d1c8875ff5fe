import type { Estimate } from "./bootstrap.ts";
import { intervalChart, lineChart, readable } from "./charts.ts";
import { escaped, figure, interval, table } from "./html.ts";
import type { Aggregate, Improvement, Scale } from "./scales.ts";

/** The aggregates of one scale: interval charts, performance profile, probability of improvement, sample efficiency. */
export function scaleSection(scale: Scale, labels: readonly string[], key: string): string {
  if (scale.aggregates.length === 0)
    return `<section><h2>${escaped(scale.name)}</h2><p>No label has a finished run in each of ${escaped(scale.environments.join(", "))}.</p></section>`;
  const over = `Over ${scale.environments.length} environment${scale.environments.length === 1 ? "" : "s"}: ${scale.environments.join(", ")}.`;
  return `<section><h2>${escaped(scale.name)}</h2><p class="soft">${escaped(over)} ${meaning(scale)}</p>${key}<div class="charts">
${aggregateFigures(scale, labels)}${profileFigure(scale, labels)}${improvementFigure(scale, labels)}${efficiencyFigure(scale, labels)}</div></section>`;
}

function meaning({ normalisation }: Scale): string {
  if (normalisation === "none")
    return "Raw returns of one environment; there is no optimality gap without a reference.";
  return `0 is a random agent, 1 the ${normalisation === "human" ? "human tester" : "expert"}.`;
}

function aggregateFigures({ name, aggregates }: Scale, labels: readonly string[]): string {
  const statistics: readonly [string, (aggregate: Aggregate) => Estimate | null][] = [
    ["interquartile mean", (a) => a.iqm],
    ["mean", (a) => a.mean],
    ["median", (a) => a.median],
    ["optimality gap (lower is better)", (a) => a.optimalityGap],
  ];
  return statistics
    .map(([title, of]) => {
      const shown = aggregates.flatMap((a) => {
        const estimate = of(a);
        return estimate === null ? [] : [{ name: a.label, place: labels.indexOf(a.label), ...estimate }];
      });
      if (shown.length === 0) return "";
      const rows = shown.map((estimate) => [estimate.name, interval(estimate)]);
      return figure(title, intervalChart(title, shown), table(`${name}: ${title}`, ["label", "95 % interval"], rows));
    })
    .join("");
}

function profileFigure({ name, thresholds, profiles, normalisation }: Scale, labels: readonly string[]): string {
  const x = normalisation === "none" ? "return" : "normalised score";
  const lines = profiles.map(({ label, points }) => ({
    name: label,
    place: labels.indexOf(label),
    x: thresholds,
    points,
  }));
  const at = [0, 15, 30, 45, 60];
  const rows = profiles.flatMap(({ label, points }) =>
    at.map((i) => [label, readable(thresholds[i]!), interval(points[i]!)]),
  );
  const chart = lineChart({ x, y: "share of runs above", lines, yRange: [0, 1] });
  return figure("performance profile", chart, table(`${name}: share of runs above`, ["label", x, "share"], rows));
}

/** Pairs that a chart can show; of more, those with the label of the highest interquartile mean. The table has all. */
const pairsShown = 10;

function improvementFigure({ name, improvements, aggregates }: Scale, labels: readonly string[]): string {
  if (improvements.length === 0) return "";
  const named = (all: readonly Improvement[]) =>
    all.map(({ label, over, ...estimate }) => ({
      name: `${label} over ${over}`,
      place: labels.indexOf(label),
      ...estimate,
    }));
  const best = aggregates.reduce((a, b) => (b.iqm.value > a.iqm.value ? b : a)).label;
  const ofBest = improvements
    .filter(({ label, over }) => label === best || over === best)
    .map((pair) => (pair.label === best ? pair : reversed(pair)));
  const shown = named(improvements.length > pairsShown ? ofBest : improvements);
  const rows = named(improvements).map((estimate) => [estimate.name, interval(estimate)]);
  const title = "probability of improvement";
  return figure(
    title,
    intervalChart(title, shown, [0, 1]),
    table(`${name}: ${title}`, ["pair", "95 % interval"], rows),
  );
}

function efficiencyFigure({ name, efficiency }: Scale, labels: readonly string[]): string {
  const lines = efficiency
    .filter(({ points }) => points.length > 0)
    .map(({ label, agentSteps, points }) => ({ name: label, place: labels.indexOf(label), x: agentSteps, points }));
  if (lines.length === 0) return "";
  const rows = lines.flatMap((line) => {
    const at = [0, 0.25, 0.5, 0.75, 1].map((part) => Math.round(part * (line.x.length - 1)));
    return [...new Set(at)].map((i) => [line.name, readable(line.x[i]!), interval({ ...line.points[i]! })]);
  });
  const chart = lineChart({ x: "agent steps", y: "interquartile mean", lines });
  return figure(
    "sample efficiency",
    chart,
    table(`${name}: interquartile mean`, ["label", "agent steps", "IQM"], rows),
  );
}

const reversed = ({ label, over, value, low, high }: Improvement): Improvement => ({
  label: over,
  over: label,
  value: 1 - value,
  low: 1 - high,
  high: 1 - low,
});
