import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { UpdateReport, UpdateReport__Output } from "../proto/gen/anchorage/v1/UpdateReport.ts";
import { OperatorError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { storageError } from "./atomicFile.ts";

/** One line of metrics.jsonl. Beside these fields every metric of the update by its own name; null: not a number. */
export interface MetricsRecord {
  readonly update: number;
  readonly generation: number;
  readonly agent_steps: number;
  readonly time: string; // when it was reported, ISO 8601
  readonly [metric: string]: number | string | null;
}

const ownFields: ReadonlySet<string> = new Set(["update", "generation", "agent_steps", "time"]);

/**
 * metrics.jsonl: one JSON object per update, in the order of updates, each update once. A torn last line (a crash) is cut
 * off when it is opened; when a new learner begins again at an earlier update, the records from there on are cut.
 */
export class MetricsLog {
  readonly path: string;
  readonly #file: FileHandle;
  #index: { update: number; offset: number }[] = [];
  #size = 0;
  #last: MetricsRecord | null = null;
  #cuts = 0;
  #tail = false; // there may be bytes behind #size

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  /** Throws STORAGE, or CORRUPT if a line before the last is damaged. */
  static async open(folder: string, log: Logger): Promise<MetricsLog> {
    const path = join(folder, "metrics.jsonl");
    let file: FileHandle;
    try {
      file = await open(path, constants.O_RDWR | constants.O_CREAT);
    } catch (cause) {
      throw storageError(`${path} cannot be opened`, cause);
    }
    const metrics = new MetricsLog(path, file);
    try {
      await metrics.#scan(log);
      return metrics;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** null: no update yet. */
  get last(): MetricsRecord | null {
    return this.#last;
  }
  get length(): number {
    return this.#index.length;
  }
  /** How often records were cut: a reader with an older count starts over at the update it had reached. */
  get cuts(): number {
    return this.#cuts;
  }

  /** Index of the first record after `update`. */
  after(update: number): number {
    let low = 0;
    let high = this.#index.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#index[middle]!.update <= update) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The record at an index, read from the file; null: records were cut meanwhile. */
  async read(index: number): Promise<MetricsRecord | null> {
    const cuts = this.#cuts;
    const { offset } = this.#index[index]!;
    const end = this.#index[index + 1]?.offset ?? this.#size;
    const line = Buffer.alloc(end - offset);
    await this.#file.read(line, 0, line.length, offset);
    return cuts === this.#cuts ? (JSON.parse(line.toString("utf8")) as MetricsRecord) : null;
  }

  /** Records from an index on, at most `most` of them, in one read; null: records were cut meanwhile. */
  async readSome(index: number, most: number): Promise<MetricsRecord[] | null> {
    const cuts = this.#cuts;
    const end = Math.min(this.#index.length, index + most);
    const from = this.#index[index]?.offset ?? this.#size;
    const bytes = Buffer.alloc((this.#index[end]?.offset ?? this.#size) - from);
    await this.#file.read(bytes, 0, bytes.length, from);
    if (cuts !== this.#cuts) return null;
    const lines = bytes.toString("utf8").split("\n").slice(0, -1);
    return lines.map((line) => JSON.parse(line) as MetricsRecord);
  }

  /**
   * Adds one record; its update must come after the last one's. It is on the disk then, also if the machine loses power or
   * the disk fails: the learner forgets what was accepted. Throws STORAGE and leaves no half line behind.
   */
  async append(report: UpdateReport__Output): Promise<void> {
    const record = recordOf(report);
    const line = Buffer.from(`${JSON.stringify(record)}\n`);
    await this.#dropTail();
    this.#tail = true;
    try {
      for (let at = 0; at < line.length; )
        at += (await this.#file.write(line, at, line.length - at, this.#size + at)).bytesWritten;
      await this.#file.datasync();
    } catch (cause) {
      throw storageError(`${this.path} cannot be written`, cause);
    }
    this.#tail = false;
    this.#index.push({ update: record.update, offset: this.#size });
    this.#size += line.length;
    this.#last = record;
  }

  /** Removes the records of `update` and later ones. */
  async cutFrom(update: number): Promise<void> {
    const keep = this.after(update - 1);
    if (keep === this.#index.length) return;
    this.#size = this.#index[keep]!.offset;
    this.#index.length = keep;
    this.#cuts++; // before anything is awaited: readers must not take what is being cut
    this.#tail = true;
    await this.#dropTail();
    this.#last = keep === 0 ? null : await this.read(keep - 1);
  }

  /** Bytes behind the last record, from a cut or a failed write, must not stand before the next one. */
  async #dropTail(): Promise<void> {
    if (!this.#tail) return;
    try {
      await this.#file.truncate(this.#size);
    } catch (cause) {
      throw storageError(`${this.path} cannot be cut`, cause);
    }
    this.#tail = false;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #scan(log: Logger): Promise<void> {
    let offset = 0;
    let line = 0;
    for await (const { text, whole } of lines(this.#file)) {
      line++;
      const record = whole ? parseRecord(text) : null;
      const follows = record !== null && record.update > (this.#last?.update ?? 0);
      if (!whole || (!follows && (await this.#isLast(offset + text.length + 1)))) {
        log.warn(`${this.path}: line ${line} is torn and was cut off`);
        break;
      }
      if (!follows) {
        const problem = `${this.path}: line ${line} is damaged.`;
        throw new OperatorError(
          "CORRUPT",
          problem,
          "Delete that line and the later ones: the run goes on from its checkpoint.",
        );
      }
      this.#index.push({ update: record.update, offset });
      this.#last = record;
      offset += text.length + 1;
    }
    this.#size = offset;
    await this.#file.truncate(offset);
  }

  async #isLast(end: number): Promise<boolean> {
    return (await this.#file.stat()).size <= end;
  }
}

/** The report as it was, for who watches; episodes and policy are not kept. */
export function reportOf(record: MetricsRecord): UpdateReport {
  const metrics = Object.fromEntries(
    Object.entries(record)
      .filter(([name]) => !ownFields.has(name))
      .map(([name, value]) => [name, typeof value === "number" ? value : Number.NaN]),
  );
  return { generation: record.generation, update: record.update, agent_steps: record.agent_steps, metrics };
}

function recordOf(report: UpdateReport__Output): MetricsRecord {
  const metrics = Object.entries(report.metrics)
    .filter(([name]) => !ownFields.has(name))
    .map(([name, value]) => [name, Number.isFinite(value) ? value : null] as const);
  const { update, generation, agent_steps } = report;
  return { update, generation, agent_steps, time: new Date().toISOString(), ...Object.fromEntries(metrics) };
}

function parseRecord(line: Buffer): MetricsRecord | null {
  try {
    const record = JSON.parse(line.toString("utf8")) as MetricsRecord | null;
    return Number.isInteger(record?.update) && Number.isInteger(record?.generation) ? record : null;
  } catch {
    return null; // the caller decides whether a damaged line is a torn one
  }
}

/** Lines as bytes, so that offsets are exact whatever a torn line holds; `whole`: it ended with a newline. */
async function* lines(file: FileHandle): AsyncGenerator<{ text: Buffer; whole: boolean }> {
  const chunk = Buffer.alloc(256 * 1024);
  let rest = Buffer.alloc(0);
  for (let position = 0; ; ) {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, position);
    if (bytesRead === 0) break;
    position += bytesRead;
    let data = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
    for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10)) {
      yield { text: data.subarray(0, end), whole: true };
      data = data.subarray(end + 1);
    }
    rest = data;
  }
  if (rest.length > 0) yield { text: rest, whole: false };
}
