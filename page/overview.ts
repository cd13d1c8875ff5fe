import type { PageRun, PageStatus } from "../shared/pageEvents.ts";
import { byId, element, setText, show } from "./element.ts";
import { ago, count, cssPercent, duration, percent, readable } from "./numbers.ts";

const stateWords = {
  RUNNING: "Training",
  PAUSED: "Paused",
  STOPPING: "Stopping",
  FINISHED: "Finished",
  FAILED: "Failed",
} as const;

/** What people call a thing whose setting may be a module's path. */
const nameOf = (setting: string): string => setting.replace(/^.*\//, "");

/** Title, settings and footer: what does not change. */
export function showRun(run: PageRun): void {
  const { env, algo, seed } = run.config;
  const title = `${nameOf(env)} · ${nameOf(algo)} · seed ${seed}`;
  document.title = `${title} – Anchorage`;
  setText(byId("title"), nameOf(env));
  setText(byId("subtitle"), `${nameOf(algo)}, seed ${seed}`);
  const created = new Date(run.created).toLocaleString();
  setText(byId("footer"), `Run ${run.runId}, begun ${created}. Folder ${run.folder}. Anchorage ${run.build}.`);
  setText(byId("tokenPath"), `${run.folder}/secrets/control-token`);
  setText(byId("stopWhat"), `The actors drain, the learner writes a checkpoint, ${afterStop[run.goesOnBy]}`);
  setText(byId("stopCommand"), run.resumeCommand);
  const settings = Object.entries(run.config).map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, text(value))),
  );
  byId("config").replaceChildren(...settings);
  setText(byId("configSummary"), `All ${settings.length} settings`);
}

const afterStop: Readonly<Record<PageRun["goesOnBy"], string>> = {
  train: "and every process ends. To go on later:",
  resume: "and the coordinator stays. To go on later, “Resume” on this page, or:",
  coordinator:
    "and every process ends. To go on later, start learner and actors again, and the coordinator, its addresses and certificates as before:",
};

const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

/** State, progress and tiles. */
export function showOverview(run: PageRun, status: PageStatus): void {
  const word = status.state === "STOPPING" && status.over ? "Stopped" : stateWords[status.state];
  const badge = byId("state");
  show(badge, true);
  setText(badge, word);
  badge.dataset.state = status.state.toLowerCase();
  const done = run.totalSteps === 0 ? 0 : status.agentSteps / run.totalSteps;
  byId<HTMLProgressElement>("progress").value = Math.min(1, done);
  setText(
    byId("progressText"),
    `${percent(done)} · update ${count(status.updates)} of ${count(run.updates)} · ${count(status.agentSteps)} of ${count(run.totalSteps)} agent steps`,
  );
  showReturn(status);
  showRate(run, status);
  showWaits(status);
}

function showReturn({ metrics, sinceUpdateSeconds, over }: PageStatus): void {
  setText(byId("tileReturn"), readable(metrics.mean_return));
  const length = metrics.mean_episode_length;
  const lengths =
    length === null || length === undefined ? "no episode has ended yet" : `${readable(length)} steps each`;
  const since = sinceUpdateSeconds === null ? "no update yet" : `updated ${ago(sinceUpdateSeconds)}`;
  setText(byId("tileReturnMore"), over ? lengths : `${lengths} · ${since}`);
}

function showRate(run: PageRun, status: PageStatus): void {
  const { stepsPerSecond: rate, agentSteps, over, state, metrics } = status;
  const moving = state === "RUNNING" || state === "STOPPING";
  setText(byId("tileRate"), moving && !over ? readable(rate) : "–");
  const update = metrics.update_seconds;
  const collect = metrics.collect_seconds;
  const stages = typeof update === "number" && typeof collect === "number";
  setText(byId("tileRateMore"), stages ? `collect ${readable(collect)} s · update ${readable(update)} s` : "");
  const left = rate === null || rate === 0 ? null : (run.totalSteps - agentSteps) / rate;
  const ended = over || state === "PAUSED" || left === null;
  setText(byId("tileLeft"), over ? "none" : ended ? "–" : duration(left));
  const when = ended ? null : new Date(Date.now() + left * 1000);
  const sameDay = when?.toDateString() === new Date().toDateString();
  const shown = sameDay ? when?.toLocaleTimeString([], { timeStyle: "short" }) : when?.toLocaleDateString();
  setText(byId("tileLeftMore"), shown === undefined ? stateNote(status) : `done about ${shown}`);
}

function stateNote({ state, over }: PageStatus): string {
  if (state === "PAUSED") return "paused";
  if (state === "STOPPING") return over ? "stopped" : "stopping";
  return over ? "the run is over" : "measuring";
}

function showWaits({ metrics, stepsPerSecond, learner, actorCount, over }: PageStatus): void {
  const learnerWaits = metrics.learner_wait_seconds ?? 0;
  const actorsWait = metrics.actors_wait_seconds ?? 0;
  const sum = learnerWaits + actorsWait;
  const share = sum === 0 ? 0.5 : learnerWaits / sum;
  const known = sum > 0 && stepsPerSecond !== null;
  setText(byId("tileWaits"), !known ? "–" : share > 0.5 ? "Learner" : "Actors");
  byId("waitLearner").style.width = cssPercent(share);
  byId("waitActors").style.width = cssPercent(1 - share);
  const advice =
    learner === null
      ? "no learner"
      : actorCount === 0
        ? "no actors"
        : share > 0.5
          ? "more actors would help"
          : "a faster learner would help";
  const shares = known ? [`learner ${percent(share)} of the waiting`] : [];
  setText(byId("tileWaitsMore"), [...shares, ...(over ? [] : [advice])].join(" · "));
}
