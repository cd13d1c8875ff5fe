import { Gauge, type Registry } from "prom-client";
import type { TrainingRun } from "./trainingRun.ts";

/** Values of the newest update that become series: the learner chooses the names, so their number is bounded here. */
const mostValues = 64;
const valueName = /^[a-z][a-z0-9_]{0,63}$/;

/** Gauges that are read off the run at each scrape. */
export function observeRun(registry: Registry, run: TrainingRun, watchers: () => number): void {
  const register = (name: string, help: string, labelNames: string[], collect: (gauge: Gauge) => void): void => {
    const settings = { name: `anchorage_coordinator_${name}`, help, labelNames, registers: [registry] };
    new Gauge({
      ...settings,
      collect() {
        collect(this);
      },
    });
  };
  const gauge = (name: string, help: string, value: () => number): void =>
    register(name, help, [], (g) => g.set(value()));

  const { members, checkpoints, metricsLog } = run.parts;
  register("run_state", "1 at the run's state.", ["state"], (g) => {
    for (const state of ["RUNNING", "PAUSED", "STOPPING", "FINISHED", "FAILED"] as const)
      g.set({ state: state.toLowerCase() }, run.state.state === state ? 1 : 0);
  });
  register("members", "Members by role. learner not 1: nothing is learnt.", ["role"], (g) => {
    g.set({ role: "actor" }, members.count("ACTOR"));
    g.set({ role: "learner" }, members.count("LEARNER"));
  });
  register("update_value", "Metrics of the newest update, by name.", ["name"], (g) => {
    g.reset();
    for (const [name, value] of valuesOf(run)) g.set({ name }, value);
  });
  const age = (saved: string): number => (Date.now() - Date.parse(saved)) / 1000;
  gauge("generation", "Of the newest learner: how many took the run over.", () => members.generation);
  gauge("reproducible", "0: members of different fingerprints worked on the run.", () =>
    run.state.differences.length === 0 ? 1 : 0,
  );
  gauge("updates", "Updates done.", () => metricsLog.last?.update ?? 0);
  gauge("agent_steps", "Agent steps trained on.", () => metricsLog.last?.agent_steps ?? 0);
  gauge("checkpoints", "Checkpoints stored now.", () => checkpoints.entries.length);
  gauge("checkpoint_update", "Updates done at the newest checkpoint; 0: none.", () => checkpoints.newest?.update ?? 0);
  gauge("checkpoint_bytes", "Size of the newest checkpoint.", () => checkpoints.newest?.bytes ?? 0);
  gauge("checkpoint_age_seconds", "Since the newest checkpoint: what a crash would cost. NaN: none.", () =>
    checkpoints.newest === null ? Number.NaN : age(checkpoints.newest.saved),
  );
  gauge("watchers", "Open Watch streams.", watchers);
}

function valuesOf(run: TrainingRun): [string, number][] {
  return Object.entries(run.parts.metricsLog.last ?? {})
    .filter((entry): entry is [string, number] => typeof entry[1] === "number" && valueName.test(entry[0]))
    .slice(0, mostValues);
}
