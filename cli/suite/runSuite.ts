import { join } from "node:path";
import { messageOf, type OperatorError } from "../../shared/errors.ts";
import { type Lifecycle, processLifecycle } from "../../shared/lifecycle.ts";
import { logger } from "../../shared/log.ts";
import { rotateLogs } from "../logRotation.ts";
import { type CheckedSuite, checkedSuite, type SuiteFlags } from "./checkedSuite.ts";
import { dryRun } from "./dryRun.ts";
import { stepsDone } from "./rates.ts";
import { SuiteChild } from "./suiteChild.ts";
import { SuiteFolder, stateOf } from "./suiteFolder.ts";
import { SuiteView } from "./suiteView.ts";

/**
 * `anchorage suite`: checks every run before any is begun, then runs what its folder does not have yet, each as an
 * `anchorage train` of its own. Gives the exit status: 0 if all are finished, 1 if some failed, 130 if stopped.
 */
export async function runSuite(nameOrFile: string, flags: SuiteFlags): Promise<number> {
  try {
    const checked = await checkedSuite(nameOrFile, flags);
    return await (flags.dryRun ? dryRun(checked) : runAll(checked));
  } catch (error) {
    if (flags.json) process.stdout.write(`${JSON.stringify({ event: "failed", message: messageOf(error) })}\n`);
    throw error;
  }
}

async function runAll(checked: CheckedSuite): Promise<number> {
  const { suite, runs, flags, jobs } = checked;
  const log = logger("suite");
  const lifecycle = processLifecycle(log);
  let lockLost: OperatorError | null = null;
  const folder = await SuiteFolder.open(checked.folder, suite.name, runs, (error) => {
    lockLost = error;
    lifecycle.stop({ kind: "asked", detail: error.message });
  });
  const endRotation = rotateLogs(checked.folder, log);
  const finished = new Set(folder.runs.filter(({ state }) => state === "finished").map(({ id }) => id));
  const view = new SuiteView({
    name: suite.name,
    folder: checked.folder,
    runs,
    stepsBefore: new Map(
      runs.map((run) => [run.id, finished.has(run.id) ? run.totalSteps : stepsDone(join(checked.folder, run.id))]),
    ),
    finishedBefore: finished.size,
    jobs,
    json: flags.json ?? false,
  });
  try {
    await runQueue(checked, folder, view, lifecycle);
    if (lockLost !== null) throw lockLost;
    view.close(folder.runs, `npx anchorage suite ${checked.nameOrFile} --suite-dir ${checked.folder}`);
    const states = folder.runs.map(({ state }) => state);
    if (states.some((state) => state === "pending" || state === "stopped")) return 130;
    return states.includes("failed") ? 1 : 0;
  } finally {
    view.end();
    endRotation();
    await folder.close();
  }
}

/** Runs what is not finished, `jobs` at a time, until all have ended or the suite is asked to stop. */
async function runQueue(
  checked: CheckedSuite,
  folder: SuiteFolder,
  view: SuiteView,
  lifecycle: Lifecycle,
): Promise<void> {
  const { runs, flags, jobs, workers } = checked;
  const children = new Set<SuiteChild>();
  const stopAll = (): void => {
    for (const child of children) child.stop();
  };
  process.on("exit", stopAll); // a second Ctrl-C, or an error: no run is left behind
  void lifecycle.stopped().then(() => {
    view.say("Stopping: the runs write a checkpoint. Ctrl-C again to stop at once.");
    stopAll();
  });
  const queue = runs.filter(({ id }) => folder.runs.find((run) => run.id === id)!.state !== "finished");
  const worker = async (): Promise<void> => {
    for (let run = queue.shift(); run !== undefined && lifecycle.reason === null; run = queue.shift()) {
      const resume = (await stateOf(join(folder.path, run.id))) !== "new";
      await folder.change(run.id, "pending");
      if (lifecycle.reason !== null) return; // asked meanwhile; from here to the child nothing is awaited
      const next = run;
      view.begun(run, resume);
      const { deploy, insecure } = flags;
      const onUpdate = (event: Parameters<SuiteView["update"]>[1]): void => view.update(next, event);
      const child = new SuiteChild(run, { folder: folder.path, resume, deploy, insecure, workers, onUpdate });
      children.add(child);
      const end = await child.ended;
      children.delete(child);
      await folder.change(run.id, end.state, end.state === "failed" ? end.reason : "");
      view.ended(run, end);
    }
  };
  try {
    await Promise.all(Array.from({ length: jobs }, worker));
  } finally {
    queue.length = 0; // where one of them threw, the others begin nothing more
    stopAll();
    await Promise.all([...children].map((child) => child.ended));
    process.off("exit", stopAll);
  }
}
