import type UPlot from "uplot"; // its value is a global: /uplot.js is a script before this one, and no bundler is needed
import { element, setText, show } from "./element.ts";
import { brief, count, onAxis, readable } from "./numbers.ts";

export interface ChartLine {
  readonly label: string;
  readonly colour: string; // a variable of style.css
  readonly dash?: readonly number[];
}

export interface ChartOptions {
  readonly title: string;
  readonly lines: readonly ChartLine[];
  readonly height: number; // pixels; at least
  readonly filled?: boolean;
  readonly nothing?: string; // said while there is no value
  /** Limits that the axis has at least, [low, high]. */
  readonly atLeast?: readonly [number | null, number | null];
  readonly format?: (value: number | null | undefined) => string;
  /** Charts with the same key share their cursor. */
  readonly sync?: string;
}

type Column = readonly (number | null)[];

const variable = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const charts = new Set<Chart>();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const chart of charts) chart.recolour();
});

/** A line chart by agent step with its newest (or hovered) value beside the title. */
export class Chart {
  readonly root: HTMLElement;
  readonly #options: ChartOptions;
  readonly #value: HTMLElement;
  readonly #place: HTMLElement;
  readonly #nothing: HTMLElement;
  readonly #format: (value: number | null | undefined) => string;
  #plot: UPlot | null = null;
  #data: UPlot.AlignedData = [[]];

  constructor(options: ChartOptions) {
    this.#options = options;
    this.#format = options.format ?? readable;
    this.#value = element("output", { class: "value", "aria-live": "off" }, "–");
    this.#nothing = element("p", { class: "soft nothing" }, options.nothing ?? "No value yet.");
    this.#place = element("div", { class: "plot", role: "img" }, this.#nothing);
    const keys = options.lines.length > 1 ? [this.#legend()] : [];
    const caption = element("figcaption", {}, element("h3", {}, options.title), ...keys, this.#value);
    this.root = element("figure", { class: "chart" }, caption, this.#place);
    new ResizeObserver(() => this.#fit()).observe(this.#place);
    charts.add(this);
  }

  /** `columns`: the lines in their order, each as long as `x`, which rises. */
  set(x: readonly number[], columns: readonly Column[]): void {
    this.#data = [x, ...columns] as unknown as UPlot.AlignedData;
    show(this.#nothing, this.#plot === null && this.#isEmpty);
    if (this.#plot === null) this.#fit();
    else this.#plot.setData(this.#data);
    this.#tell(x.length - 1);
    const spoken = this.#options.lines.map(({ label }, i) => `${label} ${this.#format(newest(columns[i]!))}`);
    this.#place.setAttribute("aria-label", `${this.#options.title} by agent step: ${spoken.join(", ")}`);
  }

  recolour(): void {
    this.#plot?.redraw(false, true);
  }

  remove(): void {
    charts.delete(this);
    this.#plot?.destroy();
    this.root.remove();
  }

  #legend(): HTMLElement {
    const keys = this.#options.lines.map(({ label, colour }) =>
      element("span", {}, element("i", { class: `key ${colour.slice(2)}` }), label),
    );
    return element("span", { class: "legend" }, ...keys);
  }

  #tell(index: number): void {
    const hovered = index < this.#data[0].length - 1;
    const columns = this.#data.slice(1) as unknown as readonly Column[];
    const values = columns.map((column) => this.#format(hovered ? column[index] : newest(column)));
    const at = hovered ? ` at ${count(this.#data[0][index]!)}` : "";
    setText(this.#value, `${values.join(" · ")}${at}`);
  }

  #ticks(splits: readonly number[]): string[] {
    const { format } = this.#options;
    return format === undefined ? onAxis(splits) : splits.map(format);
  }

  /** Axes of nothing would be made up. */
  get #isEmpty(): boolean {
    const [, ...columns] = this.#data as unknown as readonly Column[];
    return columns.every((column) => newest(column) === undefined);
  }

  #fit(): void {
    const width = Math.floor(this.#place.clientWidth);
    if (width === 0) return; // in something closed: when it opens, it is told
    const size = { width, height: Math.max(this.#options.height, Math.floor(this.#place.clientHeight)) };
    if (this.#plot !== null) this.#plot.setSize(size);
    else if (!this.#isEmpty) this.#plot = new uPlot({ ...size, ...this.#look() }, this.#data, this.#place);
  }

  #look(): Omit<UPlot.Options, "width" | "height"> {
    const { lines, filled = false, atLeast = [null, null], sync } = this.#options;
    // whole pixels: of 11.5px uPlot would enlarge only the 5 on a screen of two pixels to one
    const axis = { stroke: () => variable("--soft"), font: "12px system-ui, sans-serif", ticks: { show: false } };
    const grid = { stroke: () => variable("--grid"), width: 1 };
    return {
      legend: { show: false },
      padding: [8, 16, 0, 0],
      cursor: {
        y: false,
        drag: { x: false, y: false },
        points: { size: 7 },
        ...(sync === undefined ? {} : { sync: { key: sync, setSeries: false } }),
      },
      scales: { x: { time: false }, y: { range: (_, low, high) => limits(low, high, atLeast) } },
      axes: [
        { ...axis, grid: { show: false }, size: 26, values: (_, splits) => splits.map((x) => brief(x)) },
        {
          ...axis,
          grid,
          size: 52,
          space: (_, __, ___, ____, height) => Math.max(30, height / 8),
          values: (_, splits) => this.#ticks(splits),
        },
      ],
      series: [{}, ...lines.map((line) => series(line, filled))],
      hooks: { setCursor: [(plot) => this.#tell(plot.cursor.idx ?? this.#data[0].length - 1)] },
    };
  }
}

function series({ label, colour, dash }: ChartLine, filled: boolean): UPlot.Series {
  return {
    label,
    stroke: () => variable(colour),
    width: 1.8,
    spanGaps: true,
    points: { show: (plot, i) => values(plot.data[i] as unknown as Column) < 3 }, // a line needs two
    ...(dash === undefined ? {} : { dash: [...dash] }),
    ...(filled && {
      fill: (plot: UPlot) => fade(plot, variable(colour)),
      fillTo: (plot: UPlot) => plot.scales.y?.min ?? 0,
    }),
  };
}

/** The line's colour, down to nothing at the bottom. */
function fade({ ctx, bbox }: UPlot, colour: string): CanvasGradient {
  const gradient = ctx.createLinearGradient(0, bbox.top, 0, bbox.top + Math.max(1, bbox.height));
  gradient.addColorStop(0, `${colour}3d`);
  gradient.addColorStop(1, `${colour}00`);
  return gradient;
}

function limits(
  low: number | null,
  high: number | null,
  [least, most]: readonly [number | null, number | null],
): [number, number] {
  if (low === null || high === null) return [least ?? 0, most ?? 1];
  const from = Math.min(low, least ?? low);
  const to = Math.max(high, most ?? high);
  const margin = (to - from || Math.abs(to) || 1) * 0.06;
  return [from === least ? from : from - margin, to === most ? to : to + margin];
}

const values = (column: Column): number => column.reduce<number>((n, value) => (value === null ? n : n + 1), 0);
const newest = (column: Column): number | null | undefined => column.findLast((value) => value !== null);
