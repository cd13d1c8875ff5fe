import { statfs } from "node:fs/promises";
import { Gauge, type Registry } from "prom-client";
import { errorCodes } from "../shared/errors.ts";
import type { TrainingRun } from "./trainingRun.ts";

type Declare = (name: string, help: string, labels: string[], collect: (gauge: Gauge) => void | Promise<void>) => void;

/** Gauges that are read off the run at each scrape. */
export function observeRun(
  registry: Registry,
  run: TrainingRun,
  open: { readonly watchers: () => number; readonly viewers: () => number },
): void {
  const declare: Declare = (name, help, labelNames, collect) => {
    const settings = { name: `anchorage_coordinator_${name}`, help, labelNames, registers: [registry] };
    new Gauge({
      ...settings,
      collect() {
        return collect(this);
      },
    });
  };
  const gauge = (name: string, help: string, value: () => number): void =>
    declare(name, help, [], (g) => g.set(value()));

  const { members, metricsLog } = run.parts;
  observeState(declare, run);
  declare("members", "Members by role. learner not 1: nothing is learnt.", ["member_role"], (g) => {
    g.set({ member_role: "actor" }, members.count("ACTOR"));
    g.set({ member_role: "learner" }, members.count("LEARNER"));
  });
  gauge("generation", "Of the newest learner: how many took the run over.", () => members.generation);
  gauge("reproducible", "0: members of different fingerprints worked on the run.", () =>
    run.state.differences.length === 0 ? 1 : 0,
  );
  gauge("updates", "Updates done.", () => metricsLog.last?.update ?? 0);
  gauge("agent_steps", "Agent steps trained on.", () => metricsLog.last?.agent_steps ?? 0);
  gauge("total_agent_steps", "Agent steps of the whole run.", () => run.totalSteps);
  gauge(
    "progress_timestamp_seconds",
    "When the run last got on: an update, this coordinator's start, or its going on after a pause. Over 5 minutes ago while running: look at who waits.",
    () => run.progressed / 1000,
  );
  gauge("watchers", "Open Watch streams.", open.watchers);
  gauge("page_viewers", "Browsers that have the page open.", open.viewers);
  observeStorage(declare, gauge, run);
}

function observeState(declare: Declare, run: TrainingRun): void {
  const { config } = run.parts.store;
  declare("run_state", "1 at the run's state.", ["state"], (g) => {
    for (const state of ["RUNNING", "PAUSED", "STOPPING", "FINISHED", "FAILED"] as const)
      g.set({ state: state.toLowerCase() }, run.state.state === state ? 1 : 0);
  });
  declare("run_failed", "1 at the kind of failure that ended the run; numeric: NaN or Inf.", ["code"], (g) => {
    const failed = run.state.state === "FAILED" ? codeOf(run.state.failure) : null;
    for (const code of failureCodes) g.set({ code }, failed === code ? 1 : 0);
  });
  declare("run_info", "Always 1; its labels say what is trained.", ["env", "algo", "seed", "policy_lag"], (g) => {
    const { env, algo, seed, policyLag } = config;
    g.set({ env, algo, seed: String(seed), policy_lag: String(policyLag) }, 1);
  });
}

const failureCodes = [...errorCodes.map((code) => code.toLowerCase()), "other"];

/** An OperatorError's message begins with its code. */
function codeOf(failure: string): string {
  const code = /^\[([A-Z]+)\]/.exec(failure)?.[1]?.toLowerCase();
  return failureCodes.find((known) => known === code) ?? "other";
}

/** Scrapes that come together ask the file system once. */
const diskMs = 1_000;

function observeStorage(
  declare: Declare,
  gauge: (name: string, help: string, value: () => number) => void,
  run: TrainingRun,
): void {
  const { checkpoints, store } = run.parts;
  const age = (saved: string): number => (Date.now() - Date.parse(saved)) / 1000;
  gauge("checkpoints", "Checkpoints stored now.", () => checkpoints.entries.length);
  gauge("checkpoint_update", "Updates done at the newest checkpoint; 0: none.", () => checkpoints.newest?.update ?? 0);
  gauge("checkpoint_bytes", "Size of the newest checkpoint.", () => checkpoints.newest?.bytes ?? 0);
  gauge("checkpoint_age_seconds", "Since the newest checkpoint: what a crash would cost. NaN: none.", () =>
    checkpoints.newest === null ? Number.NaN : age(checkpoints.newest.saved),
  );
  let asked = { at: Number.NEGATIVE_INFINITY, disk: Promise.resolve({ free: 0, size: 0 }) };
  const disk = () => {
    const now = performance.now();
    if (now - asked.at > diskMs) asked = { at: now, disk: diskOf(store.folder) };
    return asked.disk;
  };
  declare(
    "run_folder_free_bytes",
    "Free for this user where the run folder is. Under a few checkpoints: free some.",
    [],
    async (g) => g.set((await disk()).free),
  );
  declare("run_folder_size_bytes", "Size of the file system where the run folder is.", [], async (g) =>
    g.set((await disk()).size),
  );
}

/** NaN where the file system does not say: a scrape must not fail over it. */
async function diskOf(folder: string): Promise<{ free: number; size: number }> {
  try {
    const { bavail, blocks, bsize } = await statfs(folder);
    return { free: bavail * bsize, size: blocks * bsize };
  } catch {
    return { free: Number.NaN, size: Number.NaN }; // told by the metric itself: NaN
  }
}
