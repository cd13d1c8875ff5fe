import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { storageError, unfinished, writeAtomically } from "../../coordinator/atomicFile.ts";
import { isLockFile, RunLock } from "../../coordinator/runLock.ts";
import { RunState } from "../../coordinator/runState.ts";
import { configDifferences } from "../../coordinator/runStore.ts";
import { messageOf, OperatorError } from "../../shared/errors.ts";
import type { RunConfig } from "../../shared/runConfig.ts";
import type { PlannedRun } from "./suitePlan.ts";

/** pending: not begun, cut off, or being run now; its own folder says how far it came. */
export type SuiteRunState = "finished" | "failed" | "pending" | "stopped";

const SuiteRecord = z.object({
  name: z.string(),
  runs: z.array(
    z.object({
      id: z.string(),
      label: z.string().describe("what a report groups by"),
      environment: z.string(),
      algorithm: z.string(),
      setting: z.record(z.string(), z.unknown()).describe("the label's own RunConfig fields"),
      seed: z.int(),
      folder: z.string().describe("in the suite's folder"),
      state: z.enum(["finished", "failed", "pending", "stopped"]),
      reason: z.string().describe("why it failed; else empty"),
    }),
  ),
});
/** suite.json: what became of each run of the suite, for people and for reports. */
export type SuiteRecord = z.infer<typeof SuiteRecord>;

/** Beside run folders. configs.json: the resolved RunConfig of each run by its id, as the suite was first begun with it. */
const own = new Set(["suite.json", "configs.json", "logs"]);

/** A suite's folder, locked while it is open. */
export class SuiteFolder {
  readonly path: string;
  readonly #record: SuiteRecord;
  readonly #lock: RunLock;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, record: SuiteRecord, lock: RunLock) {
    this.path = path;
    this.#record = record;
    this.#lock = lock;
  }

  /**
   * Makes the folder, or goes on with the suite in it. Throws MISMATCH naming the differences where it holds another
   * suite than `runs`, unless runs were only added; STORAGE where it holds something else or is in use.
   */
  static async open(
    path: string,
    name: string,
    runs: readonly PlannedRun[],
    onLockLost: (error: OperatorError) => void,
  ): Promise<SuiteFolder> {
    await compareWithFolder(path, runs);
    await mkdir(join(path, "logs"), { recursive: true }).catch((cause: unknown) => {
      throw storageError(`The suite's folder ${path} cannot be made`, cause);
    });
    const lock = await RunLock.take(path, { onLost: onLockLost, onStale: onLockLost }); // its record could not be kept either
    try {
      const configs = Object.fromEntries(runs.map(({ id, config }) => [id, config]));
      await writeAtomically(join(path, "configs.json"), `${JSON.stringify(configs)}\n`);
      const before = readRecord(path)?.runs ?? [];
      const states = await statesInFolder(path, runs);
      const record = { name, runs: runs.map((run, i) => recordOf(run, states[i]!, before)) };
      const folder = new SuiteFolder(path, record, lock);
      await folder.#write();
      return folder;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  get runs(): SuiteRecord["runs"] {
    return this.#record.runs;
  }

  /** On the disk when it resolves. Throws STORAGE. */
  async change(id: string, state: SuiteRunState, reason = ""): Promise<void> {
    const run = this.#record.runs.find((one) => one.id === id)!;
    run.state = state;
    run.reason = reason;
    await this.#write();
  }

  async close(): Promise<void> {
    await this.#lock.release();
  }

  #write(): Promise<void> {
    const done = this.#writing.then(() =>
      writeAtomically(join(this.path, "suite.json"), `${JSON.stringify(this.#record, null, 1)}\n`),
    );
    this.#writing = done.catch(() => undefined); // the caller has the error; the next write must still run
    return done;
  }
}

/** How far each run came, by its own folder. */
type Progress = "finished" | "begun" | "new";

export async function statesInFolder(path: string, runs: readonly PlannedRun[]): Promise<Progress[]> {
  const states: Progress[] = [];
  for (const { id } of runs) states.push(await stateOf(join(path, id)));
  return states;
}

export async function stateOf(runDir: string): Promise<Progress> {
  if (!existsSync(join(runDir, "run.json"))) return "new";
  // A folder that cannot be read is no finished run; `train --resume` says what is wrong with it, and the run fails.
  const state = await RunState.open(runDir).catch(() => null);
  return state?.current.state === "FINISHED" ? "finished" : "begun";
}

/** Throws as SuiteFolder.open does; writes nothing. A folder that is not there, or empty, is in order. */
export async function compareWithFolder(path: string, runs: readonly PlannedRun[]): Promise<void> {
  const stored = readConfigs(path);
  if (stored === null) return;
  const differences = new Map<string, number>();
  const differs = (what: string): void => void differences.set(what, (differences.get(what) ?? 0) + 1);
  const records = readRecord(path)?.runs ?? [];
  for (const [id, config] of Object.entries(stored)) {
    const run = runs.find((one) => one.id === id);
    const label = records.find((one) => one.id === id)?.label;
    if (run === undefined) differs(`the run ${id} is missing in it`);
    else for (const field of configDifferences(config, run.config)) differs(field);
    if (run !== undefined && label !== undefined && label !== run.label)
      differs(`label: ${JSON.stringify(label)} against ${JSON.stringify(run.label)}`);
  }
  if (differences.size === 0) return;
  const named = [...differences].map(([what, count]) => `${what}${count > 1 ? ` (${count} runs)` : ""}`);
  const shown = named.length > 8 ? [...named.slice(0, 8), `and ${named.length - 8} more differences`] : named;
  const problem = `${path} holds a suite that the file no longer describes: ${shown.join("; ")} (folder against file).`;
  const remedy = "Runs may be added, not changed or removed: undo the change, or start anew with another --suite-dir.";
  throw new OperatorError("MISMATCH", problem, remedy);
}

/** null: no suite was begun there. Throws STORAGE where the folder holds something else. */
function readConfigs(path: string): Record<string, RunConfig> | null {
  if (!existsSync(path)) return null;
  const file = join(path, "configs.json");
  if (existsSync(file)) return readJson(file, z.record(z.string(), z.custom<RunConfig>()));
  const foreign = readdirSync(path).filter((name) => !own.has(name) && !isLockFile(name) && !unfinished.test(name));
  if (foreign.length === 0) return null;
  const problem = `${path} is not empty and not a suite's folder (it holds ${foreign.slice(0, 3).join(", ")}).`;
  throw new OperatorError("STORAGE", problem, "Choose a new or empty folder as --suite-dir.");
}

/** null: there is none. Throws CORRUPT. */
function readRecord(path: string): SuiteRecord | null {
  const file = join(path, "suite.json");
  return existsSync(file) ? readJson(file, SuiteRecord) : null;
}

function readJson<T>(file: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    const problem = `${file} cannot be read: ${messageOf(cause)}.`;
    throw new OperatorError("CORRUPT", problem, "Restore it from a backup; the run folders beside it are whole.", {
      cause,
    });
  }
}

/** A run that failed or was stopped stays so until it is begun again. */
function recordOf(run: PlannedRun, progress: Progress, before: SuiteRecord["runs"]): SuiteRecord["runs"][number] {
  const { id, label, environment, algorithm, setting, seed } = run;
  const now = { id, label, environment, algorithm, setting: { ...setting }, seed, folder: id };
  if (progress === "finished") return { ...now, state: "finished", reason: "" };
  const then = before.find((one) => one.id === id);
  if (then?.state === "failed" || then?.state === "stopped") return { ...now, state: then.state, reason: then.reason };
  return { ...now, state: "pending", reason: "" };
}
