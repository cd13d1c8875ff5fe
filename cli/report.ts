import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf, OperatorError } from "../shared/errors.ts";
import { csvFiles } from "./report/csv.ts";
import { excludedLines } from "./report/excludedRuns.ts";
import { reportPage } from "./report/page.ts";
import { reportData } from "./report/reportData.ts";
import { shapingCurves } from "./report/shaping.ts";

export interface ReportFlags {
  readonly out: string;
  readonly resamples: number;
  readonly seed: number;
  readonly json?: boolean;
}

/** Points of a curve need no finer bounds than a chart shows. */
const curveResamples = 400;

/** `anchorage report`: one page and the numbers of the given run and suite folders. */
export async function writeReport(folders: readonly string[], flags: ReportFlags): Promise<number> {
  requireOurs(flags.out);
  const { resamples, seed } = flags;
  const data = reportData(folders, { resamples, seed, curveResamples: Math.min(curveResamples, resamples) });
  if (data.runs.length === 0) {
    const named = excludedLines(data.excluded).join("; ");
    throw new OperatorError(
      "CONFIG",
      `There is no finished run to report: ${named}.`,
      "Finish one, or give other folders.",
    );
  }
  const files = {
    ...csvFiles(data),
    "index.html": reportPage(data, shapingCurves()),
    "report.json": `${JSON.stringify(data, null, 1)}\n`,
  };
  write(flags.out, files);
  const { runs, excluded, notices } = data;
  for (const line of excludedLines(excluded)) process.stderr.write(`not counted: ${line}\n`);
  for (const notice of notices) process.stderr.write(`note: ${notice}\n`);
  const page = join(flags.out, "index.html");
  if (flags.json) {
    const event = { event: "reported", page, runs: runs.length, excluded, notices, files: Object.keys(files) };
    process.stdout.write(`${JSON.stringify(event)}\n`);
  } else process.stdout.write(`${page}: ${runs.length} runs, ${excluded.length} not counted\n`);
  return 0;
}

/** Refuses a folder with anything but an earlier report in it, before any work is done. */
function requireOurs(out: string): void {
  if (!existsSync(out) || existsSync(join(out, "report.json"))) return;
  let inside: readonly string[];
  try {
    inside = readdirSync(out);
  } catch (cause) {
    throw new OperatorError("STORAGE", `${out} cannot be read: ${messageOf(cause)}.`, "Give --out another folder.", {
      cause,
    });
  }
  if (inside.length > 0)
    throw new OperatorError(
      "CONFIG",
      `${out} holds other files than a report's: ${inside[0]}.`,
      "Give --out an empty or new folder.",
    );
}

function write(out: string, files: Readonly<Record<string, string>>): void {
  try {
    mkdirSync(out, { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(out, name), text);
  } catch (cause) {
    throw new OperatorError(
      "STORAGE",
      `The report cannot be written to ${out}: ${messageOf(cause)}.`,
      "Give --out another folder, or make room.",
      { cause },
    );
  }
}
