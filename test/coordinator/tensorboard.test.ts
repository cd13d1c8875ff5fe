import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { appendFile, readdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { crc32c } from "@node-rs/crc32";
import { Reader } from "protobufjs";
import { expect, it, onTestFinished } from "vitest";
import { MetricsLog } from "../../coordinator/metricsLog.ts";
import { TensorboardLog, tagOf, tfRecord } from "../../coordinator/tensorboard.ts";
import type { UpdateReport__Output } from "../../proto/gen/anchorage/v1/UpdateReport.ts";
import { logger } from "../../shared/log.ts";
import { noSmallDisk, SmallDisk } from "../chaos/smallDisk.ts";
import { report, temporaryFolder } from "./runningCoordinator.ts";

const as = (update: number): UpdateReport__Output => report(1, update) as unknown as UpdateReport__Output;

async function eventFile(folder: string): Promise<Buffer> {
  const names = await readdir(join(folder, "tensorboard"));
  expect(names.length).toBe(1);
  expect(names[0]).toMatch(/^events\.out\.tfevents\.\d+\./);
  return readFile(join(folder, "tensorboard", names[0]!));
}

/** Splits TFRecords by the format's description, checking both checksums: mask(c) = rotate right 15, add 0xa282ead8. */
function records(file: Buffer): Buffer[] {
  const masked = (data: Uint8Array): number => {
    const crc = BigInt(crc32c(data));
    return Number((((crc >> 15n) | (crc << 17n)) + 0xa282ead8n) & 0xffffffffn);
  };
  const found: Buffer[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    expect(file.readUInt32LE(at + 8)).toBe(masked(file.subarray(at, at + 8)));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(file.readUInt32LE(at + 12 + length)).toBe(masked(data));
    found.push(data);
    at += 16 + length;
  }
  return found;
}

/** Fields of a protobuf message by number; the numbers are those of TensorFlow's event.proto and summary.proto. */
function fields(message: Uint8Array): Map<number, unknown[]> {
  const reader = Reader.create(message);
  const found = new Map<number, unknown[]>();
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const read = {
      0: () => Number(reader.int64()),
      1: () => reader.double(),
      2: () => reader.bytes(),
      5: () => reader.float(),
    };
    const value = read[(tag & 7) as keyof typeof read]();
    found.set(tag >>> 3, [...(found.get(tag >>> 3) ?? []), value]);
  }
  return found;
}

/** Of each event with a summary (5): [step (2), policy_loss], after checking that it has a wall time (1). */
function policyLosses(file: Buffer): [number, number][] {
  const [first, ...events] = records(file).map(fields);
  expect(Buffer.from(first!.get(3)![0] as Uint8Array).toString()).toBe("brain.Event:2");
  return events.flatMap((event): [number, number][] => {
    expect(event.get(1)![0]).toBeGreaterThan(1.7e9);
    if (!event.has(5)) return [];
    const values = fields(event.get(5)![0] as Uint8Array)
      .get(1)!
      .map((value) => fields(value as Uint8Array));
    const loss = values.find(
      (value) => Buffer.from(value.get(1)![0] as Uint8Array).toString() === "losses/policy_loss",
    );
    return [[event.get(2)![0] as number, loss!.get(2)![0] as number]];
  });
}

it("frames a record as TensorFlow does", () => {
  // what TensorBoard 2.21's RecordWriter writes for b"abc"
  expect(tfRecord(Buffer.from("abc")).toString("hex")).toBe("0300000000000000b099490e6162636e57f121");
});

it("groups metrics as users of RL code know them", () => {
  expect(["policy_loss", "approx_kl", "mean_return", "steps_per_second", "update_seconds"].map(tagOf)).toEqual([
    "losses/policy_loss",
    "losses/approx_kl",
    "charts/mean_return",
    "charts/steps_per_second",
    "timing/update_seconds",
  ]);
});

it("holds every update once, by agent step, after appends, a torn tail, a reopening and a cut", async () => {
  const folder = await temporaryFolder();
  const metrics = await MetricsLog.open(folder, logger("test"));
  let events = await TensorboardLog.open(folder, metrics);
  for (const update of [1, 2, 3]) {
    await metrics.append(as(update));
    await events.append(metrics);
  }
  expect(policyLosses(await eventFile(folder))).toEqual([
    [64, -1],
    [128, -0.5],
    [192, Math.fround(-1 / 3)],
  ]);
  await events.close();
  const [name] = await readdir(join(folder, "tensorboard"));
  await appendFile(join(folder, "tensorboard", name!), "torn");
  events = await TensorboardLog.open(folder, metrics);
  expect(policyLosses(await eventFile(folder))).toEqual([
    [64, -1],
    [128, -0.5],
    [192, Math.fround(-1 / 3)],
  ]);
  await metrics.cutFrom(2);
  await events.rewrite(metrics);
  await metrics.append(as(2));
  await events.append(metrics);
  expect(policyLosses(await eventFile(folder))).toEqual([
    [64, -1],
    [128, -0.5],
  ]);
  await events.close();
  await metrics.close();
});

const noDisk = noSmallDisk();
it.skipIf(noDisk !== null)(
  `what a full disk kept out of it, torn, stands in it once there is space ${noDisk ?? ""}`,
  async () => {
    const [disk, folder] = [await SmallDisk.mount(1), await temporaryFolder()];
    onTestFinished(() => disk.remove());
    const metrics = await MetricsLog.open(folder, logger("test")); // on another disk
    const events = await TensorboardLog.open(disk.path, metrics);
    await metrics.append(as(1));
    await events.append(metrics);
    disk.fill();
    const expected: [number, number][] = [[64, -1]];
    for (let update = 2, refused = 0; refused < 2; update++) {
      // the space left in its last page takes a few records
      await metrics.append(as(update));
      expected.push([64 * update, Math.fround(-1 / update)]);
      await events.append(metrics).catch((error: Error) => {
        expect(error.message).toContain("the disk is full (ENOSPC)");
        refused++;
      });
    }
    disk.free();
    await metrics.append(as(1_000));
    await events.append(metrics);
    expect(policyLosses(await eventFile(disk.path))).toEqual([...expected, [64_000, Math.fround(-1 / 1_000)]]);
    await events.close();
    await metrics.close();
  },
);

const python = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "anchorage", "peers", "bin", "python");
const hasTensorboard = (): boolean => {
  try {
    execFileSync(python, ["-c", "import tensorboard"], { stdio: "ignore" });
    return true;
  } catch {
    return false; // the peers' venv is made for the benchmarks only
  }
};

it.skipIf(!existsSync(python) || !hasTensorboard())(
  "TensorBoard itself reads the values (skipped without its package)",
  async () => {
    const folder = await temporaryFolder();
    const metrics = await MetricsLog.open(folder, logger("test"));
    const events = await TensorboardLog.open(folder, metrics);
    for (const update of [1, 2]) await metrics.append(as(update));
    await events.append(metrics);
    await events.close();
    await metrics.close();
    const read = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
a = EventAccumulator(sys.argv[1]); a.Reload()
print(json.dumps({t: [(e.step, e.value) for e in a.Scalars(t)] for t in sorted(a.Tags()["scalars"])}))`;
    const output = execFileSync(python, ["-c", read, join(folder, "tensorboard")], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    expect(JSON.parse(output)).toEqual({
      "charts/generation": [
        [64, 1],
        [128, 1],
      ],
      "charts/mean_return": [
        [64, 10],
        [128, 20],
      ],
      "charts/update": [
        [64, 1],
        [128, 2],
      ],
      "losses/policy_loss": [
        [64, -1],
        [128, -0.5],
      ],
    });
  },
);
