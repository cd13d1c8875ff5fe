import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";

/** A random number from 0 to 1, below 1, that a seed repeats. */
export type Random = () => number;

/** One fault, as docs/reliability.md counts them. */
export interface FaultRecord {
  readonly kind: string; // "learner SIGKILL", "link cut", ...
  readonly test: string;
  readonly update: number; // done when it struck
  readonly recoverySeconds: number | null; // from its end (kill, repair) to the next update; null: no update was left
}

/** scripts/test.mjs draws, checks and prints it; 1 where vitest was started without that. */
export const chaosSeed = Number(process.env.ANCHORAGE_CHAOS_SEED ?? 1);

/** Random choices of one test, from the suite's seed and the test's name: tests do not disturb each other's. */
export function chaosRandom(name: string): Random {
  let drawn = 0;
  return () => {
    const digest = createHash("sha256").update(`${chaosSeed} ${name} ${drawn++}`).digest();
    return digest.readUInt32LE(0) / 2 ** 32;
  };
}

/** A whole number from `low` to `high`, both included. */
export function between(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

export function choose<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!;
}

const faults: FaultRecord[] = [];

/** Remembers a fault for faultTable(); appends it to ANCHORAGE_CHAOS_REPORT/faults.jsonl where that folder is given. */
export function recordFault(fault: FaultRecord): void {
  faults.push(fault);
  const folder = process.env.ANCHORAGE_CHAOS_REPORT;
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  const line = { ...fault, seed: chaosSeed, time: new Date().toISOString() };
  appendFileSync(join(folder, "faults.jsonl"), `${JSON.stringify(line)}\n`);
}

/** This test file's faults as a table: kind, injected, survived and recovery in seconds. Print it in afterAll. */
export function faultTable(records: readonly FaultRecord[] = faults): string {
  const kinds = [...new Set(records.map(({ kind }) => kind))].sort();
  const rows = kinds.map((kind) => {
    const ofKind = records.filter((fault) => fault.kind === kind);
    const seconds = ofKind.map((fault) => fault.recoverySeconds).filter((value) => value !== null);
    seconds.sort((a, b) => a - b);
    const shown = (value: number | undefined): string => value?.toFixed(2) ?? "-";
    return [kind, String(ofKind.length), shown(seconds[seconds.length >> 1]), shown(seconds.at(-1))];
  });
  const table = [["fault", "survived", "recovery s, median", "longest"], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  return table.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ")).join("\n");
}
