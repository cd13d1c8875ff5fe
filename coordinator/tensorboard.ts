import { type FileHandle, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { crc32c } from "@node-rs/crc32";
import protobuf from "protobufjs";
import { storageError } from "./atomicFile.ts";
import type { MetricsLog, MetricsRecord } from "./metricsLog.ts";

/** The part of TensorFlow's event.proto and summary.proto that scalars need; field numbers are theirs. */
const schema = `
syntax = "proto3";
message Value { string tag = 1; float simple_value = 2; }
message Summary { repeated Value value = 1; }
message SessionLog { int32 status = 1; }
message Event {
  double wall_time = 1; int64 step = 2;
  oneof what { string file_version = 3; Summary summary = 5; SessionLog session_log = 7; }
}`;
const Event = protobuf.parse(schema, { keepCase: true }).root.lookupType("Event");
const sessionStart = 1;

const optimisation =
  /(_loss|^loss|^entropy|^approx_kl|^clip_fraction|^explained_variance|^gradient_norm|^ratio_.*|^advantage_.*)$/;

/** `losses/` for what the optimiser does, `timing/`, and `charts/` for the rest, as TensorBoard users of RL code know it. */
export function tagOf(metric: string): string {
  if (metric.endsWith("_seconds")) return `timing/${metric}`;
  return `${optimisation.test(metric) ? "losses" : "charts"}/${metric}`;
}

/** One TFRecord: length (uint64), its masked CRC-32C, the data, theirs. Little-endian. */
export function tfRecord(data: Uint8Array): Buffer {
  const record = Buffer.alloc(12 + data.length + 4);
  record.writeBigUInt64LE(BigInt(data.length), 0);
  record.writeUInt32LE(maskedCrc(record.subarray(0, 8)), 8);
  record.set(data, 12);
  record.writeUInt32LE(maskedCrc(data), 12 + data.length);
  return record;
}

/** TFRecord's mask: a CRC over data that holds CRCs would be weak. */
function maskedCrc(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

function encode(event: object): Buffer {
  return tfRecord(Event.encode(Event.create(event)).finish());
}

function scalars(record: MetricsRecord): Buffer {
  const { update, generation, agent_steps: step, time, ...metrics } = record;
  const value = Object.entries(metrics)
    .filter((entry): entry is [string, number] => typeof entry[1] === "number")
    .map(([name, simple_value]) => ({ tag: tagOf(name), simple_value }));
  value.push({ tag: "charts/update", simple_value: update }, { tag: "charts/generation", simple_value: generation });
  return encode({ wall_time: Date.parse(time) / 1000, step, summary: { value } });
}

const flushBytes = 1 << 20;
let files = 0;

/**
 * tensorboard/: one event file, made from metrics.jsonl, which stays the truth. It is written anew when the coordinator
 * starts and when records were cut, so a torn tail or an update from before a resume never stands in it.
 */
export class TensorboardLog {
  readonly #folder: string;
  #file: FileHandle | null = null;
  #bytes = 0; // of whole records; a write that failed may have left some behind them
  #records = 0; // of metrics.jsonl that stand in the file
  #stale = false; // the file holds records that were cut from metrics.jsonl

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(runFolder: string, metrics: MetricsLog): Promise<TensorboardLog> {
    const log = new TensorboardLog(join(runFolder, "tensorboard"));
    await mkdir(log.#folder, { recursive: true }).catch((cause: unknown) => {
      throw storageError(`${log.#folder} cannot be made`, cause);
    });
    await log.rewrite(metrics);
    return log;
  }

  /**
   * Adds what `metrics` holds and the file does not. Throws STORAGE; the file may then end with a torn record, over which
   * the next call writes that record whole.
   */
  async append(metrics: MetricsLog): Promise<void> {
    if (this.#stale) return await this.rewrite(metrics);
    if (this.#file === null) return; // closed
    try {
      await this.#fill(this.#file, metrics);
    } catch (cause) {
      throw this.#failed(cause);
    }
  }

  /** A new file with all records of `metrics`, then the older files go. The name sorts after theirs: readers move on. */
  async rewrite(metrics: MetricsLog): Promise<void> {
    const seconds = Math.floor(Date.now() / 1000);
    const name = `events.out.tfevents.${seconds}.${hostname()}.${process.pid}.${files++}`;
    const unfinished = join(this.#folder, `new.unfinished-${process.pid}`);
    this.#stale = true;
    let file: FileHandle | null = null;
    try {
      const older = await readdir(this.#folder);
      file = await open(unfinished, "w");
      [this.#bytes, this.#records] = [0, 0];
      await this.#write(file, beginning());
      await this.#fill(file, metrics);
      await rename(unfinished, join(this.#folder, name));
      [file, this.#file] = [this.#file, file];
      this.#stale = false;
      for (const old of older) if (isOurs(old) && old !== name) await rm(join(this.#folder, old), { force: true });
    } catch (cause) {
      throw this.#failed(cause);
    } finally {
      await file?.close(); // the older one, or a new one that came to nothing
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = null;
  }

  async #fill(file: FileHandle, metrics: MetricsLog): Promise<void> {
    while (this.#records < metrics.length) {
      const pending: Buffer[] = [];
      let bytes = 0;
      let next = this.#records;
      for (; next < metrics.length && bytes < flushBytes; next++) {
        const record = await metrics.read(next);
        if (record === null) throw new Error("metrics.jsonl was cut while the event file was made from it");
        pending.push(scalars(record));
        bytes += pending.at(-1)!.length;
      }
      await this.#write(file, Buffer.concat(pending));
      this.#records = next;
    }
  }

  async #write(file: FileHandle, data: Buffer): Promise<void> {
    for (let at = 0; at < data.length; )
      at += (await file.write(data, at, data.length - at, this.#bytes + at)).bytesWritten;
    this.#bytes += data.length;
  }

  #failed(cause: unknown): Error {
    return storageError(`The event file in ${this.#folder} cannot be written`, cause);
  }
}

const isOurs = (name: string): boolean => name.startsWith("events.out.tfevents.") || name.startsWith("new.unfinished-");

function beginning(): Buffer {
  const wall_time = Date.now() / 1000;
  // The session's start tells readers that held the older file to forget what they have: all of it comes again.
  const start = { wall_time, step: 0, session_log: { status: sessionStart } };
  return Buffer.concat([encode({ wall_time, file_version: "brain.Event:2" }), encode(start)]);
}
