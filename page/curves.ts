import { type CurveName, curveNames, type PageCurves } from "../shared/pageEvents.ts";
import { Chart, type ChartLine } from "./chart.ts";
import { byId, element } from "./element.ts";
import { count, percent, readable } from "./numbers.ts";

interface Shown {
  readonly into: string;
  readonly title: string;
  readonly curves: readonly CurveName[];
  readonly lines: readonly ChartLine[];
  readonly height?: number;
  readonly filled?: boolean;
  readonly nothing?: string;
  readonly atLeast?: readonly [number | null, number | null];
  readonly format?: (value: number | null | undefined) => string;
}

/** In place of a chart of returns. */
export const nothing = "No episode has ended yet.";
const one = (label: string, colour: string): ChartLine[] => [{ label, colour }];
const asPercent = (value: number | null | undefined): string =>
  value === null || value === undefined ? "–" : percent(value);

/** Every chart of the page's own run. */
const shown: readonly Shown[] = [
  {
    into: "chartReturn",
    title: "Mean return of the last 100 episodes",
    curves: ["mean_return"],
    lines: one("mean return", "--series-0"),
    height: 300,
    filled: true,
    nothing,
  },
  ...(
    [
      ["Entropy", "entropy", "--series-2", null],
      ["Approximate KL", "approx_kl", "--series-1", null],
      ["Clip fraction", "clip_fraction", "--series-3", 0],
      ["Explained variance", "explained_variance", "--series-4", null],
      ["Learning rate", "learning_rate", "--series-5", 0],
      ["Gradient norm", "gradient_norm", "--series-0", 0],
    ] as const
  ).map(([title, name, colour, low]) => ({
    into: "learningCharts",
    title,
    curves: [name],
    lines: one(title.toLowerCase(), colour),
    atLeast: [low, name === "explained_variance" ? 1 : null] as const,
  })),
  {
    into: "throughputCharts",
    title: "Agent steps per second",
    curves: ["steps_per_second"],
    lines: one("steps per second", "--series-2"),
    filled: true,
    atLeast: [0, null],
  },
  {
    into: "throughputCharts",
    title: "Who waits",
    curves: ["learner_waits", "actors_wait"],
    lines: [
      { label: "learner", colour: "--series-0" },
      { label: "actors", colour: "--series-1", dash: [6, 4] },
    ],
    atLeast: [0, 1],
    format: asPercent,
  },
];

/** At this many points the history is asked for again, where it is decimated. */
const mostPoints = 4096;

/** The run's learning curves: what the coordinator told, and the charts of it. */
export class Curves {
  readonly #charts: readonly { readonly chart: Chart; readonly curves: readonly CurveName[] }[];
  readonly #onFull: () => void;
  #updates: number[] = [];
  #agentSteps: number[] = [];
  #values = emptyColumns();
  #drawing = false;

  /** `onFull`: there are more points than a chart needs; a new history is wanted. */
  constructor(onFull: () => void) {
    this.#onFull = onFull;
    this.#charts = shown.map(({ into, curves, ...options }) => {
      const chart = new Chart({ height: 168, sync: "steps", ...options });
      byId(into).append(chart.root);
      return { chart, curves };
    });
    byId<HTMLDetailsElement>("numbers").addEventListener("toggle", () => this.#fillNumbers());
  }

  get agentSteps(): readonly number[] {
    return this.#agentSteps;
  }
  get meanReturn(): readonly (number | null)[] {
    return this.#values.mean_return;
  }

  replace({ updates, agentSteps, values }: PageCurves): void {
    this.#updates = [...updates];
    this.#agentSteps = [...agentSteps];
    for (const name of curveNames) this.#values[name] = [...values[name]];
    this.#draw();
  }

  add({ updates, agentSteps, values }: PageCurves): void {
    const from = updates.findIndex((update) => update > (this.#updates.at(-1) ?? 0));
    if (from < 0) return; // told before
    this.#updates.push(...updates.slice(from));
    this.#agentSteps.push(...agentSteps.slice(from));
    for (const name of curveNames) this.#values[name].push(...values[name].slice(from));
    if (this.#updates.length > mostPoints) this.#onFull();
    this.#draw();
  }

  /** Once for all that comes between two pictures, and not at all in a hidden tab. */
  #draw(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      for (const { chart, curves } of this.#charts)
        chart.set(
          this.#agentSteps,
          curves.map((name) => this.#values[name]),
        );
      this.#fillNumbers();
    });
  }

  #fillNumbers(): void {
    const details = byId<HTMLDetailsElement>("numbers");
    if (!details.open) return;
    const rows = 12;
    const last = this.#updates.length - 1;
    const places = Array.from({ length: Math.min(rows, last + 1) }, (_, i) => last - Math.round((i * last) / rows));
    const names = curveNames.filter((name) => this.#values[name].some((value) => value !== null));
    const head = ["update", "agent steps", ...names.map((name) => name.replaceAll("_", " "))];
    const cells = head.map((text) => element("th", { scope: "col" }, text));
    details.querySelector("thead")!.replaceChildren(element("tr", {}, ...cells));
    const body = [...new Set(places)].map((i) => {
      const numbers = names.map((name) => readable(this.#values[name][i]));
      const texts = [count(this.#updates[i]!), count(this.#agentSteps[i]!), ...numbers];
      return element("tr", {}, ...texts.map((text) => element("td", {}, text)));
    });
    details.querySelector("tbody")!.replaceChildren(...body);
  }
}

function emptyColumns(): Record<CurveName, (number | null)[]> {
  return Object.fromEntries(curveNames.map((name) => [name, []])) as unknown as Record<CurveName, (number | null)[]>;
}
