import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { readRun } from "../cli/report/readRun.ts";

/** A run's learning curve, as docs/results/ keeps it: a CSV file with a header and a row per update. */
export interface Curve {
  readonly agentSteps: readonly number[]; // rising
  readonly meanReturn: readonly number[]; // raw, last 100 episodes; NaN until one has ended
}

/** Throws what is wrong with the file. */
export function readCurve(file: string): Curve {
  const [header, ...rows] = readFileSync(file, "utf8").trim().split("\n");
  const names = header!.split(",");
  const column = (name: string): number[] => {
    const at = names.indexOf(name);
    if (at < 0) throw new Error(`${file} has no column ${name}: it has ${names.join(", ")}`);
    return rows.map((row) => {
      const cell = row.split(",")[at];
      return cell === "" || cell === undefined ? Number.NaN : Number(cell);
    });
  };
  const curve = { agentSteps: column("agent_steps"), meanReturn: column("mean_return") };
  if (rows.length === 0 || Number.isNaN(curve.meanReturn.at(-1))) throw new Error(`${file} ends without a return`);
  return curve;
}

/** Of a finished run of ours, from its folder. */
export function writeCurveOfRun(folder: string, file: string): void {
  const { agentSteps, metrics } = readRun(folder);
  const columns = ["mean_return", "approx_kl", "ratio_max"] as const;
  const cell = (value: number): string => (Number.isNaN(value) ? "" : String(Number(value.toPrecision(6))));
  const rows = Array.from(agentSteps, (steps, i) => [steps, ...columns.map((name) => cell(metrics[name][i]!))]);
  const text = [["agent_steps", ...columns], ...rows].map((row) => `${row.join(",")}\n`).join("");
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.part`, text);
  renameSync(`${file}.part`, file);
}
