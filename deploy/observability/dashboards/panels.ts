import {
  BigValueGraphMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import { ThresholdsConfigBuilder, ThresholdsMode } from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as TimeseriesBuilder } from "@grafana/grafana-foundation-sdk/timeseries";

/** One query of a panel: PromQL, and what a series is called in the legend. */
export type Query = readonly [expr: string, legend: string];

export interface PanelOptions {
  readonly title: string;
  /** What it shows, and what to think of it. */
  readonly description: string;
  readonly unit: string;
  readonly queries: readonly Query[];
  readonly width: number; // of 24 columns
  readonly min?: number;
  readonly max?: number;
  /** From this value on (below it, with `below`) it turns orange or red. */
  readonly warnAt?: number;
  readonly failAt?: number;
  readonly below?: boolean;
}

/** Grafana puts the chosen one in. */
export const datasource = { type: "prometheus", uid: "$datasource" };

/** Series over time. */
export function graph(options: PanelOptions & { readonly stacked?: boolean }): TimeseriesBuilder {
  const { warnAt, failAt, stacked = false } = options;
  const panel = dressed(new TimeseriesBuilder(), options)
    .height(8)
    .lineWidth(stacked ? 0 : 1.5)
    .fillOpacity(stacked ? 70 : 8)
    .spanNulls(60_000) // a scrape that is missing tears no line, a process that is gone ends it
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs(["lastNotNull", "max"]),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  if (stacked) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
  if (warnAt !== undefined || failAt !== undefined)
    panel.thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
  return panel;
}

/** The newest value, large. */
export function figure(options: PanelOptions): StatBuilder {
  return dressed(new StatBuilder(), options)
    .height(4)
    .graphMode(BigValueGraphMode.Area)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(["lastNotNull"]));
}

export const firingAlerts = figure({
  title: "Firing alerts",
  description: "Of these runs; the runbooks are in docs/observability.md.",
  unit: "short",
  queries: [['count(ALERTS{alertname=~"Anchorage.+",alertstate="firing",run=~"$run"}) or vector(0)', "alerts"]],
  width: 4,
  failAt: 1,
});

function dressed<Builder extends TimeseriesBuilder | StatBuilder>(panel: Builder, options: PanelOptions): Builder {
  const { title, description, unit, queries, width, min, max } = options;
  panel.title(title).description(description).unit(unit).span(width).datasource(datasource).noValue("none");
  panel.thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps(options)));
  if (min !== undefined) panel.min(min);
  if (max !== undefined) panel.max(max);
  queries.forEach(([expr, legend], i) => {
    const refId = String.fromCharCode("A".charCodeAt(0) + i);
    panel.withTarget(
      new DataqueryBuilder().refId(refId).expr(expr).legendFormat(legend).range().datasource(datasource),
    );
  });
  return panel;
}

function steps({ warnAt, failAt, below = false }: PanelOptions): { value: number | null; color: string }[] {
  const marks = [
    { value: warnAt, color: "orange" },
    { value: failAt, color: "red" },
  ].filter((mark): mark is { value: number; color: string } => mark.value !== undefined);
  if (!below) return [{ value: null, color: "green" }, ...marks];
  // a colour holds from its value upwards: the worst is the base
  const colours = [...marks.map(({ color }) => color).reverse(), "green"];
  const bounds = [null, ...marks.map(({ value }) => value).reverse()];
  return bounds.map((value, i) => ({ value, color: colours[i]! }));
}
