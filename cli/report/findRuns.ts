import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { messageOf, OperatorError } from "../../shared/errors.ts";
import { checked, type ExcludedRun, type RunRecord, readConfig, readRun, readText, whyUnfinished } from "./readRun.ts";

/** A finished run and the label that its suite gave it; null: outside of a suite. */
export interface FoundRun {
  readonly run: RunRecord;
  readonly label: string | null;
}

export interface FoundRuns {
  readonly found: readonly FoundRun[];
  readonly excluded: readonly ExcludedRun[];
  readonly suites: readonly string[]; // names
}

const Suite = z.object({
  name: z.string(),
  runs: z.array(
    z.object({
      id: z.string(),
      label: z.string(),
      environment: z.string(),
      seed: z.number(),
      folder: z.string(),
      state: z.enum(["finished", "failed", "pending", "stopped"]),
      reason: z.string().nullish(),
    }),
  ),
});
type SuiteRun = z.infer<typeof Suite>["runs"][number];

/** How deep folders of run folders may be nested. */
const depth = 4;

/**
 * The runs of run folders, suite folders (suite.json) and folders of them. What cannot be used is in `excluded` with its
 * reason; a folder given twice counts once. Throws STORAGE for a folder that is not there, CONFIG where there is no run.
 */
export function findRuns(folders: readonly string[]): FoundRuns {
  const search = new Search();
  for (const folder of folders) {
    requireFolder(folder);
    const before = search.places;
    search.below(folder, depth);
    if (search.places === before)
      throw new OperatorError(
        "CONFIG",
        `${folder} holds no run.`,
        "Give run folders (with config.json), suite folders (with suite.json) or a folder of them.",
      );
  }
  return search;
}

function requireFolder(folder: string): void {
  try {
    if (statSync(folder).isDirectory()) return;
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    const problem = missing ? `There is no folder ${folder} here.` : `${folder} cannot be read: ${messageOf(cause)}.`;
    const remedy = "Give folders of runs or suites, or run the command where runs/ is: train and suite make it.";
    throw new OperatorError("STORAGE", problem, remedy, { cause });
  }
  throw new OperatorError("CONFIG", `${folder} is no folder.`, "Give the folder of a run or of a suite.");
}

class Search implements FoundRuns {
  readonly found: FoundRun[] = [];
  readonly excluded: ExcludedRun[] = [];
  readonly suites: string[] = [];
  places = 0;
  readonly #seen = new Set<string>();

  below(folder: string, levels: number): void {
    if (existsSync(join(folder, "suite.json"))) this.#suite(folder);
    else if (existsSync(join(folder, "config.json"))) this.#take(folder, basename(resolve(folder)), null);
    else if (levels > 0)
      for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => a.name.localeCompare(b.name)))
        if (entry.isDirectory()) this.below(join(folder, entry.name), levels - 1);
  }

  #suite(folder: string): void {
    const suite = checked(readText(folder, "suite.json"), join(folder, "suite.json"), Suite);
    this.places++;
    if (!this.suites.includes(suite.name)) this.suites.push(suite.name);
    for (const member of suite.runs) {
      const place = resolve(folder, member.folder);
      const what = `${suite.name}: ${member.environment}, ${member.label}, seed ${member.seed}`;
      const missing = notRun(member, place);
      if (missing === null) this.#take(place, what, member.label);
      else this.excluded.push({ folder: place, what, reason: missing });
    }
  }

  #take(folder: string, what: string, label: string | null): void {
    this.places++;
    const place = realpathSync(folder);
    if (this.#seen.has(place)) return;
    this.#seen.add(place);
    let named = what;
    try {
      const { env, algo, seed } = readConfig(folder);
      named = label === null ? `${env}, ${algo}, seed ${seed} (${what})` : what;
      const unfinished = whyUnfinished(folder);
      if (unfinished === null) this.found.push({ run: readRun(folder), label });
      else this.excluded.push({ folder, what: named, reason: unfinished });
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      this.excluded.push({ folder, what: named, reason: error.problem });
    }
  }
}

/** Why a suite's run gives no numbers, as the suite tells it; null: it has a folder that can be read. */
function notRun({ state, reason }: SuiteRun, place: string): string | null {
  const because = reason ? `: ${reason}` : "";
  if (state === "failed") return `failed${because}`;
  if (state === "pending") return `not run yet${because}`;
  if (state === "stopped") return `stopped before its end${because}`;
  return existsSync(place) ? null : `finished, but its folder ${place} is gone`;
}
