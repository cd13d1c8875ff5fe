import { type CurveName, curveNames, type PageCurves } from "../../shared/pageEvents.ts";
import type { MetricsLog, MetricsRecord } from "../metricsLog.ts";

/** Points kept at most; at twice as many, two become one. A chart is no wider than that in pixels. */
const mostPoints = 1024;
/** Newest updates kept as they are, for viewers who were away for a moment. */
const mostRecent = 512;
/** Records read from the disk at once: some milliseconds of work, then others have their turn. */
const recordsAtOnce = 128;

export interface CurvePoint {
  readonly update: number;
  readonly generation: number;
  readonly agentSteps: number;
  readonly at: number; // ms since the epoch
  readonly values: readonly (number | null)[]; // in the order of curveNames
}

/**
 * The learning curves as the page shows them, read from metrics.jsonl when somebody looks. Their size in memory does not
 * grow with the run: points stand for `stride` updates each, a power of two, and are the same however often the coordinator
 * was restarted.
 */
export class CurveHistory {
  readonly #log: MetricsLog;
  readonly #stepsPerRound: number;
  #read = 0; // records of the log that are in here
  #cuts: number;
  #stride = 1;
  #points: Bucket[] = [];
  #recent: CurvePoint[] = [];
  #reading: Promise<void> | null = null;
  /** Raised when records that were told are not true any more: whoever has an older number starts over. */
  epoch = 0;

  constructor(log: MetricsLog, stepsPerRound: number) {
    this.#log = log;
    this.#stepsPerRound = stepsPerRound;
    this.#cuts = log.cuts;
  }

  /** Newest updates one by one, oldest first. */
  get recent(): readonly CurvePoint[] {
    return this.#recent;
  }

  /** Reads what was added to the log. Rejects where the file cannot be read. */
  catchUp(): Promise<void> {
    this.#reading ??= this.#readOn().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #readOn(): Promise<void> {
    for (;;) {
      if (this.#cuts !== this.#log.cuts) this.#startOver();
      if (this.#read >= this.#log.length) return;
      const records = await this.#log.readSome(this.#read, recordsAtOnce);
      if (records === null) continue; // cut meanwhile
      for (const record of records) this.#add(pointOf(record, this.#stepsPerRound));
      this.#read += records.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #startOver(): void {
    this.#cuts = this.#log.cuts;
    this.#read = 0;
    this.#stride = 1;
    this.#points = [];
    this.#recent = [];
    this.epoch++;
  }

  #add(point: CurvePoint): void {
    this.#recent.push(point);
    if (this.#recent.length > 2 * mostRecent) this.#recent = this.#recent.slice(-mostRecent);
    const last = this.#points.at(-1);
    if (last !== undefined && last.count < this.#stride) last.add(point);
    else this.#points.push(new Bucket(point));
    if (this.#points.length <= 2 * mostPoints) return;
    const merged: Bucket[] = [];
    for (let i = 0; i < this.#points.length; i += 2) {
      const first = this.#points[i]!;
      const second = this.#points[i + 1];
      if (second !== undefined) first.merge(second);
      merged.push(first);
    }
    this.#points = merged;
    this.#stride *= 2;
  }

  /** All of the run. */
  get whole(): PageCurves {
    return columns(this.#stride, this.#points);
  }

  /** Updates after a point that a viewer has (0: before the first); null: too many, or that point is not this run's any more. */
  after(update: number, generation: number): CurvePoint[] | null {
    if (update === 0) return this.#recent.length === this.#read ? [...this.#recent] : null;
    const at = this.#recent.findIndex((point) => point.update === update);
    return at >= 0 && this.#recent[at]!.generation === generation ? this.#recent.slice(at + 1) : null;
  }
}

/** Mean of the finite values of some updates in a row. */
class Bucket {
  update: number;
  agentSteps: number;
  count = 1;
  readonly sums: number[];
  readonly counts: number[];

  constructor({ update, agentSteps, values }: CurvePoint) {
    this.update = update;
    this.agentSteps = agentSteps;
    this.sums = values.map((value) => value ?? 0);
    this.counts = values.map((value) => (value === null ? 0 : 1));
  }

  get values(): (number | null)[] {
    return this.sums.map((sum, i) => (this.counts[i] === 0 ? null : rounded(sum / this.counts[i]!)));
  }

  add(point: CurvePoint): void {
    this.merge(new Bucket(point));
  }

  merge(next: Bucket): void {
    this.update = next.update;
    this.agentSteps = next.agentSteps;
    this.count += next.count;
    for (let i = 0; i < this.sums.length; i++) {
      this.sums[i]! += next.sums[i]!;
      this.counts[i]! += next.counts[i]!;
    }
  }
}

type Point = Pick<CurvePoint, "update" | "agentSteps" | "values">;

/** Points as the page takes them: a column for each curve. */
export function columns(stride: number, points: readonly Point[]): PageCurves {
  const rows = points.map(({ values }) => values); // a bucket's are computed: once
  return {
    stride,
    updates: points.map(({ update }) => update),
    agentSteps: points.map(({ agentSteps }) => agentSteps),
    values: Object.fromEntries(
      curveNames.map((name, i) => [name, rows.map((row) => row[i]!)]),
    ) as unknown as PageCurves["values"],
  };
}

function pointOf(record: MetricsRecord, stepsPerRound: number): CurvePoint {
  const number = (name: string): number | null => {
    const value = record[name];
    return typeof value === "number" && Number.isFinite(value) ? value : null;
  };
  const rate = number("steps_per_second");
  const share = (name: string): number | null => {
    const waited = number(name);
    return waited === null || rate === null ? null : Math.min(1, Math.max(0, (waited * rate) / stepsPerRound));
  };
  const derived: Partial<Record<CurveName, number | null>> = {
    learner_waits: share("learner_wait_seconds"),
    actors_wait: share("actors_wait_seconds"),
  };
  const values = curveNames.map((name) => {
    const value = name in derived ? (derived[name] ?? null) : number(name);
    return value === null ? null : rounded(value);
  });
  const { update, generation, agent_steps: agentSteps, time } = record;
  return { update, generation, agentSteps, at: Date.parse(time), values };
}

/** Six digits are more than a chart shows, and half of what travels. */
const rounded = (value: number): number => Number(value.toPrecision(6));
