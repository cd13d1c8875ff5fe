import type { Sample } from "./soakRun.ts";
import { growth, median, type Series, secondHalf, type Verdict } from "./trend.ts";

/** What may grow, per hour, in a process that lives from the soak's start to its end. */
const bounds: Record<string, number> = {
  resident_mib: 60,
  threads: 4,
  files: 12,
  handles: 12,
};

export interface Judged extends Verdict {
  readonly run: string;
  readonly process: string;
  readonly quantity: string;
  readonly largest: number; // of all samples
}

export function seriesOf(samples: readonly Sample[], run: string, process: string, quantity: string): Series {
  return samples
    .filter((one) => one.run === run && one.process === process && one.quantity === quantity)
    .map(({ seconds, value }): [number, number] => [seconds, value]);
}

/** Growth of every bounded quantity of the processes that are there at the end and were from (nearly) the beginning. */
export function judge(samples: readonly Sample[]): Judged[] {
  const [first, last] = [samples[0]!.seconds, samples.at(-1)!.seconds];
  const keys = new Set(samples.map(({ run, process, quantity }) => JSON.stringify([run, process, quantity])));
  return [...keys].flatMap((key) => {
    const [run, process, quantity] = JSON.parse(key) as [string, string, string];
    const bound = bounds[quantity];
    const series = seriesOf(samples, run, process, quantity);
    const lived = series.at(-1)![0] - series[0]![0] > 0.9 * (last - first);
    if (bound === undefined || !lived || series.length < 4) return [];
    return [{ run, process, quantity, ...growth(series, bound), largest: largestOf(series) }];
  });
}

export function largestOf(series: Series): number {
  return series.reduce((most, [, value]) => Math.max(most, value), Number.NEGATIVE_INFINITY);
}

/** The verdicts, as lines of a Markdown table. */
export function judgedTable(judged: readonly Judged[]): string {
  const rows = judged.map(({ run, process, quantity, median: middle, largest, perHour, bound }) => [
    run,
    process.startsWith("actor") ? "actor (never killed)" : process,
    quantity,
    middle.toFixed(1),
    largest.toFixed(1),
    perHour.toFixed(1),
    String(bound),
  ]);
  return table([["run", "process", "quantity", "median", "largest", "growth per hour", "bound"], ...rows]);
}

/** What belongs to the runs as a whole: sizes, updates, leases, queues; median of the second half, largest, last. */
export function runTable(samples: readonly Sample[]): string {
  const shown = samples.filter(({ process, quantity }) => process === "run" || !(quantity in bounds));
  const ofKilled = /^actor /;
  const keys = new Set(
    shown
      .filter(({ process }) => !ofKilled.test(process))
      .map((one) => JSON.stringify([one.run, one.process, one.quantity])),
  );
  const rows = [...keys].map((key) => {
    const [run, process, quantity] = JSON.parse(key) as [string, string, string];
    const series = seriesOf(samples, run, process, quantity);
    const middle = median(secondHalf(series).map(([, value]) => value));
    return [run, process, quantity, ...[middle, largestOf(series), series.at(-1)![1]].map((value) => shortly(value))];
  });
  return table([["run", "process", "quantity", "median", "largest", "last"], ...rows]);
}

const shortly = (value: number): string => (Number.isInteger(value) ? String(value) : value.toPrecision(4));

function table(rows: readonly (readonly string[])[]): string {
  const [head, ...body] = rows.map((row) => `| ${row.join(" | ")} |`);
  return [head, `|${" --- |".repeat(rows[0]!.length)}`, ...body].join("\n");
}
