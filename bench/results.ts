import { execFileSync } from "node:child_process";
import { appendFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { projectRoot } from "../shared/nativeParts.ts";

export type Row = Readonly<Record<string, string>>;

/** A Markdown table with the columns of the first row. */
export function table(rows: readonly Row[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    line(columns),
    line(columns.map(() => "---")),
    ...rows.map((row) => line(columns.map((c) => row[c] ?? ""))),
  ].join("\n");
}

/** Adds a dated section to bench/RESULTS.md: commit, CPU, Node version and the command that made it. */
export function appendResults(rows: readonly Row[], command: string): void {
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: projectRoot, encoding: "utf8" }).trim();
  const processors = cpus();
  const machine = `${processors.length} x ${processors[0]?.model ?? "unknown CPU"}, Node ${process.version}`;
  const section = `\n## ${new Date().toISOString().slice(0, 10)}, commit ${commit}\n\n${machine}. \`${command}\`\n\n${table(rows)}\n`;
  appendFileSync(join(projectRoot, "bench", "RESULTS.md"), section);
}
