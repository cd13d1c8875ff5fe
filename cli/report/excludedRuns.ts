import type { ExcludedRun } from "./readRun.ts";

/** Runs that share a reason are told one by one up to this number. */
const singly = 3;

/** A line for each run that does not count; one for all that share a reason, where they are many, as in a suite half done. */
export function excludedLines(excluded: readonly ExcludedRun[]): string[] {
  return [...new Set(excluded.map(({ reason }) => reason))].flatMap((reason) => {
    const runs = excluded.filter((run) => run.reason === reason);
    if (runs.length <= singly) return runs.map(({ what }) => `${what}: ${reason}`);
    return `${runs[0]!.what} and ${runs.length - 1} more: ${reason} (excluded.csv names all)`;
  });
}
