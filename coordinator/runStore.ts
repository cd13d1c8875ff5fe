import { randomBytes } from "node:crypto";
import { access, constants, mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { buildId } from "../shared/build.ts";
import { initialFileName } from "../shared/checkpointTransfer.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import { canonicalJson, RunConfig } from "../shared/runConfig.ts";
import { storageError, unfinished, writeAtomically } from "./atomicFile.ts";
import { keepInitialFile } from "./initialFile.ts";
import { isLockFile, RunLock, type RunLockEvents } from "./runLock.ts";
import { freshState, RunState } from "./runState.ts";

/** Of the run folder's layout; raised when an older build could not read it. */
export const runFormat = 1;

const RunFile = z.object({ format: z.int(), runId: z.string(), created: z.string(), build: z.string() });
export type RunFile = z.infer<typeof RunFile>;

/** "auto", for restarts by a supervisor: creates the run or goes on with it, and leaves a paused or stopped one so. */
export type Resume = boolean | "auto";

export interface OpenRunOptions {
  readonly runDir: string;
  /** null: that of the run in the folder. */
  readonly config: RunConfig | null;
  readonly resume: Resume;
  readonly lock: RunLockEvents;
}

export interface OpenRun {
  readonly folder: string; // absolute
  readonly run: RunFile;
  readonly config: RunConfig;
  readonly state: RunState;
  readonly created: boolean; // false: it was there
  readonly close: () => Promise<void>;
  /** Instead of close(), where a run that was just created could not be served: the folder holds no run again. */
  readonly discard: () => Promise<void>;
}

/** Beside a run's own files: what `train` keeps there before the coordinator has made the run. */
const tolerated = new Set([
  initialFileName,
  "config.json",
  "state.json",
  "checkpoints",
  "tensorboard",
  "logs",
  "nats",
  "secrets",
  "page.json",
]);

/** Opens or creates the run in a folder and locks it. Every way this can be wrong is an OperatorError; see docs/runFolder.md. */
export async function openRun(options: OpenRunOptions): Promise<OpenRun> {
  const folder = resolve(options.runDir);
  await prepareRunFolder(options);
  const lock = await RunLock.take(folder, options.lock);
  try {
    await removeUnfinished(folder);
    const existing = await readRunFile(folder);
    const created = existing === null;
    if (created && options.config === null) throw nothingToResume(folder);
    const run = existing ?? (await createRun(folder, options.config!));
    const config = await storedConfig(folder);
    if (!created && options.config !== null) refuseOtherConfig(folder, config, options.config);
    const state = await RunState.open(folder);
    if (!created && options.resume === true) await wakeUp(state);
    const close = (): Promise<void> => lock.release();
    const discard = async (): Promise<void> => {
      await removeRun(folder);
      await close();
    };
    return { folder, run, config, state, created, close, discard };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/**
 * Makes the folder of a run, or throws what openRun would: it holds something else, or a run and `resume` is not said,
 * or no run and it is, or it cannot be made or written. A folder that is refused is left as it is.
 */
export async function prepareRunFolder(options: Pick<OpenRunOptions, "runDir" | "config" | "resume">): Promise<void> {
  const folder = resolve(options.runDir);
  await refuseUnfit(folder, options);
  await makeFolder(join(folder, "checkpoints")).catch((cause: unknown) => {
    throw storageError(`The run folder ${folder} cannot be made`, cause);
  });
  await access(folder, constants.W_OK | constants.X_OK).catch((cause: unknown) => {
    throw storageError(`The run folder ${folder} cannot be written`, cause);
  });
}

/** With its parents. Not by mkdir's own `recursive`, which never returns where a file system answers ENOENT, as /proc does. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && (await stat(path)).isDirectory()) return;
    if (code !== "ENOENT" || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await mkdir(path);
  }
}

/** Refuses what can be seen without writing anything. */
async function refuseUnfit(
  folder: string,
  { resume, config }: Pick<OpenRunOptions, "config" | "resume">,
): Promise<void> {
  const there = await stat(folder).catch(() => null);
  if (there !== null && !there.isDirectory())
    throw new OperatorError("STORAGE", `The run folder ${folder} is a file.`, "Choose another --run-dir.");
  const run = there === null ? null : await readRunFile(folder);
  if (run !== null) {
    if (resume !== false) return;
    const problem = `${folder} already holds the run ${run.runId} of ${run.created}.`;
    throw new OperatorError(
      "STORAGE",
      problem,
      "Add --resume to go on with it, or choose another --run-dir for a new run.",
    );
  }
  if (resume === true || config === null) throw nothingToResume(folder);
  const foreign = (there === null ? [] : await readdir(folder)).filter((name) => !tolerated.has(name) && !ours(name));
  if (foreign.length === 0) return;
  const some = `${foreign.slice(0, 3).join(", ")}${foreign.length > 3 ? ", ..." : ""}`;
  const problem = `${folder} is not empty and not a run (it holds ${some}).`;
  throw new OperatorError("STORAGE", problem, "Choose a new or empty folder as --run-dir.");
}

const ours = (name: string): boolean => unfinished.test(name) || isLockFile(name);

function nothingToResume(folder: string): OperatorError {
  const problem = `There is no run to resume in ${folder}: it has no run.json.`;
  return new OperatorError("STORAGE", problem, "Check --run-dir, or start a new run without --resume.");
}

async function readRunFile(folder: string): Promise<RunFile | null> {
  const path = join(folder, "run.json");
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw storageError(`${path} cannot be read`, cause);
  }
  let run: RunFile;
  try {
    run = RunFile.parse(JSON.parse(text));
  } catch (cause) {
    const problem = `${path} is damaged: ${messageOf(cause)}.`;
    throw new OperatorError("CORRUPT", problem, "Restore it from a backup, or choose another --run-dir.", { cause });
  }
  if (run.format <= runFormat) return run;
  const problem = `${folder} was written by a newer Anchorage (${run.build}): its format is ${run.format}, this build ${buildId()} reads up to ${runFormat}.`;
  throw new OperatorError("MISMATCH", problem, "Use that build, or a newer one.");
}

/** run.json comes last: a folder without it is no run yet, and a crash in between is made good by the next start. */
async function createRun(folder: string, config: RunConfig): Promise<RunFile> {
  const run = { format: runFormat, runId: newRunId(config), created: new Date().toISOString(), build: buildId() };
  const lag = config.policyLag;
  const differences = lag === "async" ? ["policyLag async trains on whatever arrives"] : [];
  await keepInitialFile(folder, config);
  await writeAtomically(join(folder, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
  await writeAtomically(join(folder, "state.json"), `${JSON.stringify({ ...freshState, differences }, null, 2)}\n`);
  await writeAtomically(join(folder, "run.json"), `${JSON.stringify(run, null, 2)}\n`);
  return run;
}

/** run.json goes first: what a crash in between leaves is no run. */
async function removeRun(folder: string): Promise<void> {
  for (const name of ["run.json", "config.json", "state.json", "metrics.jsonl", "page.json", initialFileName])
    await rm(join(folder, name), { force: true });
}

/** [a-z0-9-], such as `halfcheetah-v4-ano-s1-20261121-0410-9f3a21`. */
function newRunId(config: RunConfig): string {
  const named = (text: string): string =>
    basename(text)
      .replace(/\.[cm]?[jt]s$/, "")
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .slice(0, 40);
  const time = new Date().toISOString().replace(/[-:]/g, "").replace("T", "-").slice(0, 13);
  return `${named(config.env)}-${named(config.algo)}-s${config.seed}-${time}-${randomBytes(3).toString("hex")}`.replace(
    /^-+/,
    "",
  );
}

async function storedConfig(folder: string): Promise<RunConfig> {
  const path = join(folder, "config.json");
  try {
    return Object.freeze(RunConfig.parse(JSON.parse(await readFile(path, "utf8"))));
  } catch (cause) {
    const problem = `${path} is no run config of this build: ${cause instanceof z.ZodError ? z.prettifyError(cause) : messageOf(cause)}.`;
    throw new OperatorError(
      "CORRUPT",
      problem,
      "Restore the file, or use the build that wrote it (run.json names it).",
      { cause },
    );
  }
}

/** Throws MISMATCH naming every field that differs. */
function refuseOtherConfig(folder: string, stored: RunConfig, given: RunConfig): void {
  const fields = configDifferences(stored, given);
  if (fields.length === 0) return;
  const problem = `${folder} holds a run with other settings: ${fields.join("; ")}.`;
  const onlyTotal = fields.length === 1 && fields[0]!.startsWith("totalSteps:");
  const remedy = onlyTotal
    ? "The learning rate is annealed over the total, so it cannot change on resume: start a new run in another --run-dir."
    : "Resume without these settings, or start a new run in another --run-dir.";
  throw new OperatorError("MISMATCH", problem, remedy);
}

/** `field: stored against given`, by dotted path. */
export function configDifferences(stored: RunConfig, given: RunConfig): string[] {
  const [a, b] = [flatten(stored), flatten(given)];
  const fields = [...new Set([...a.keys(), ...b.keys()])].sort();
  const shown = (value: string | undefined): string => value ?? "not set";
  return fields.filter((f) => a.get(f) !== b.get(f)).map((f) => `${f}: ${shown(a.get(f))} against ${shown(b.get(f))}`);
}

function flatten(value: object, path = ""): Map<string, string> {
  return new Map(
    Object.entries(value).flatMap(([key, item]: [string, unknown]): [string, string][] =>
      item !== null && typeof item === "object" && !Array.isArray(item)
        ? [...flatten(item, `${path}${key}.`)]
        : [[`${path}${key}`, canonicalJson(item)]],
    ),
  );
}

/** A person who says --resume wants a paused, stopped or failed run to go on. */
async function wakeUp(state: RunState): Promise<void> {
  const { state: now } = state.current;
  if (now !== "RUNNING" && now !== "FINISHED") await state.change(() => ({ state: "RUNNING", failure: "" }));
}

async function removeUnfinished(folder: string): Promise<void> {
  for (const place of [folder, join(folder, "checkpoints")])
    for (const name of await readdir(place)) if (unfinished.test(name)) await rm(join(place, name), { force: true });
}
