import { init } from "echarts";
import type { Estimate } from "./bootstrap.ts";

/** Colours are variables of the page's style sheet, so that a chart follows the reader's light or dark theme. */
const ink = "var(--soft)";
const grid = "var(--grid)";
const size = { width: 400, height: 270 };
const dashes = ["solid", "dashed", "dotted"] as const;
const colours = 6;

/** A label's look is the same in every chart: its place among the report's labels decides. */
export const lookOf = (place: number) => ({
  colour: `var(--series-${place % colours})`,
  dash: dashes[Math.floor(place / colours) % dashes.length]!,
});

export interface Line {
  readonly name: string;
  readonly place: number; // of its label
  readonly x: readonly number[];
  readonly points: readonly Pick<Estimate, "value" | "low" | "high">[];
}

export interface LineChart {
  readonly x: string;
  readonly y: string;
  readonly lines: readonly Line[];
  readonly logarithmic?: boolean;
  readonly yRange?: readonly [number, number];
}

export interface Interval extends Estimate {
  readonly name: string;
  readonly place: number;
}

const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
/** A number for an axis or a table: 3 to 4 significant digits. */
export function readable(value: number): string {
  if (Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && size < 1e-3) return value.toExponential(1);
  return size >= 100_000 ? short.format(value) : Number(value.toPrecision(4)).toString();
}

const axisOf = (name: string, gap: number) => ({
  name,
  nameLocation: "middle" as const,
  nameGap: gap,
  nameTextStyle: { color: ink, fontSize: 12.5 },
  axisLabel: { color: ink, fontSize: 12, hideOverlap: true, formatter: (value: number) => readable(value) },
  axisLine: { show: true, lineStyle: { color: "var(--rule)" } },
  axisTick: { show: false },
  splitLine: { lineStyle: { color: grid } },
  splitNumber: 4,
});

/** Lines with their intervals as bands, as SVG of 400 x 270 that scales with the page. */
export function lineChart({ x, y, lines, logarithmic, yRange }: LineChart): string {
  return drawn({
    xAxis: {
      type: "value",
      min: x === "agent steps" ? 0 : "dataMin",
      max: "dataMax",
      ...axisOf(x, 26),
      splitLine: { show: false },
    },
    yAxis: {
      type: logarithmic && spansDecades(lines) ? "log" : "value",
      scale: true,
      ...(yRange && { min: yRange[0], max: yRange[1] }),
      ...axisOf(y, 46),
    },
    series: lines.flatMap((line) => [
      ...(hasBand(line) ? [band(line, Math.min(0.16, 0.8 / lines.length))] : []),
      stroke(line),
    ]),
  });
}

function spansDecades(lines: readonly Line[]): boolean {
  const values = lines.flatMap(({ points }) => points.flatMap(({ low, high }) => [low, high])).filter((x) => x > 0);
  return Math.max(...values) > 10 * Math.min(...values);
}

const hasBand = ({ points }: Line): boolean => points.some(({ low, high }) => high > low);

function stroke({ name, place, x, points }: Line) {
  const { colour, dash } = lookOf(place);
  return {
    name,
    type: "line" as const,
    silent: true,
    showSymbol: points.length === 1,
    data: points.map(({ value }, i) => [x[i]!, Number.isNaN(value) ? null : value]),
    lineStyle: { color: colour, width: 2, type: dash },
    itemStyle: { color: colour },
    z: 3,
  };
}

// a polygon: up along the lower bounds, back along the upper ones. Stacked areas would not work on a logarithmic axis
function band({ place, x, points }: Line, opacity: number) {
  const outline = [
    ...points.map(({ low }, i) => [x[i]!, low]),
    ...points.map(({ high }, i) => [x[i]!, high]).reverse(),
  ];
  return {
    type: "custom" as const,
    silent: true,
    clip: true,
    data: [outline.flat()],
    dimensions: outline.flatMap((_, i) => [`x${i}`, `y${i}`]),
    encode: { x: outline.map((_, i) => 2 * i), y: outline.map((_, i) => 2 * i + 1) }, // all of it decides the axes
    renderItem: (_: unknown, api: { coord(at: number[]): number[] }) => ({
      type: "polygon" as const,
      shape: { points: outline.map((at) => api.coord(at)) },
      style: { fill: lookOf(place).colour, opacity },
    }),
    z: 1,
  };
}

/** Estimates with their intervals, one below the other, in the given order; a line in the middle of `range`, if given. */
export function intervalChart(
  title: string,
  intervals: readonly Interval[],
  range?: readonly [number, number],
): string {
  const bounds = range ?? intervals.flatMap(({ low, high, value }) => [low, high, value]);
  const at = range && (range[0] + range[1]) / 2; // marked: neither is better
  const [low, high] = [Math.min(...bounds), Math.max(...bounds)];
  const margin = (high - low || Math.abs(high) || 1) * 0.06;
  return drawn(
    {
      grid: { left: 14, right: 18, top: 8, bottom: 44 },
      xAxis: {
        type: "value",
        min: low - margin,
        max: high + margin,
        ...axisOf(title, 26),
        axisLabel: axisLabels(low - margin, high + margin),
      },
      yAxis: { type: "category", inverse: true, data: intervals.map(({ name }) => name), show: false },
      series: [
        {
          type: "custom",
          silent: true,
          data: intervals.map((interval, i) => [interval.low, i, interval.high]),
          encode: { x: [0, 2], y: 1 },
          renderItem: (params: { dataIndex: number }, api: { coord(at: number[]): number[] }) =>
            bar(intervals[params.dataIndex]!, params.dataIndex, api.coord),
          ...(at !== undefined && {
            markLine: {
              silent: true,
              symbol: "none",
              label: { show: false },
              data: [{ xAxis: at }],
              lineStyle: { color: ink, type: "dashed" },
            },
          }),
        },
      ],
    },
    64 + intervals.length * 42,
  );
}

// the extremes of the axis are padding, not round numbers
const axisLabels = (low: number, high: number) => ({
  ...axisOf("", 0).axisLabel,
  formatter: (value: number) => (value === low || value === high ? "" : readable(value)),
});

function bar(interval: Interval, row: number, coord: (at: number[]) => number[]) {
  const fill = lookOf(interval.place).colour;
  const place = (value: number): number => coord([value, row])[0]!;
  const y = coord([0, row])[1]! + 7;
  const [left, middle, right] = [place(interval.low), place(interval.value), place(interval.high)];
  return {
    type: "group" as const,
    children: [
      {
        type: "rect" as const,
        shape: { x: left, y: y - 5, width: Math.max(1, right - left), height: 10, r: 5 },
        style: { fill, opacity: 0.32 },
      },
      { type: "circle" as const, shape: { cx: middle, cy: y, r: 5 }, style: { fill } },
      {
        type: "text" as const,
        style: {
          text: interval.name,
          width: size.width - 30,
          overflow: "truncate" as const,
          x: 14,
          y: y - 9,
          align: "left" as const,
          verticalAlign: "bottom" as const,
          fontSize: 12.5,
          fill: "var(--ink)",
        },
      },
    ],
  };
}

function drawn(option: Record<string, unknown>, height = size.height): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width: size.width, height });
  chart.setOption({
    animation: false,
    backgroundColor: "transparent",
    grid: { left: 62, right: 14, top: 12, bottom: 44 },
    ...option,
  });
  const svg = chart.renderToSVGString({ useViewBox: true });
  chart.dispose();
  return unique(svg);
}

let charts = 0;
/** zrender numbers ids and classes per chart: on one page they must differ. Its hover styles are of no use in a still. */
function unique(svg: string): string {
  const own = `c${charts++}-`;
  return svg
    .replace(/<style\s*>[\s\S]*?<\/style>/g, "")
    .replace(/ class="zr[^"]*"/g, "")
    .replace(/\bzr\d+-/g, own)
    .replace(/font-family:[^;"]*;?/g, "");
}
