import type { PageCheckpoint, PageEvaluation, PageMember, PageRunState, PageStatus } from "../../shared/pageEvents.ts";
import { runShape } from "../../shared/runConfig.ts";
import type { MemberView } from "../membership.ts";
import type { TrainingRun } from "../trainingRun.ts";
import type { CurvePoint } from "./curveHistory.ts";

/** Listed on the page; the others are counted. */
const mostActors = 128;
const rateOverMs = 30_000;

export function pageStatus(
  run: TrainingRun,
  recent: readonly CurvePoint[],
  evaluations: readonly PageEvaluation[],
  silentSeconds: number,
): PageStatus {
  const { members, metricsLog, checkpoints } = run.parts;
  const { state, failure, generation, differences, weightsSha256 } = run.state;
  const { last } = metricsLog;
  const everyone = members.views();
  const actors = everyone.filter(({ role }) => role === "ACTOR");
  const learner = everyone.find(({ role }) => role === "LEARNER");
  return {
    state: state satisfies PageRunState,
    over: run.over,
    failure,
    generation,
    differences,
    updates: last?.update ?? 0,
    agentSteps: last?.agent_steps ?? 0,
    stepsPerSecond: rateOf(recent, runShape(run.parts.store.config).stepsPerRound),
    weightsSha256,
    metrics: Object.fromEntries(Object.entries(last ?? {}).filter(isMetric)),
    sinceUpdateSeconds: last === null ? null : Math.max(0, (Date.now() - Date.parse(last.time)) / 1000),
    learner: learner === undefined ? null : memberOf(learner, silentSeconds),
    actors: actors.slice(0, mostActors).map((actor) => memberOf(actor, silentSeconds)),
    actorCount: actors.length,
    checkpoints: checkpoints.entries.map((entry) => checkpointOf(entry, checkpoints.best === entry)).reverse(),
    damagedCheckpoints: checkpoints.damaged,
    evaluations,
  };
}

const isMetric = (entry: [string, unknown]): entry is [string, number | null] =>
  typeof entry[1] === "number" || entry[1] === null;

/** Agent steps per second of the newest updates. Waits of the run itself (a pause, a restart) are not left out. */
function rateOf(recent: readonly CurvePoint[], stepsPerRound: number): number | null {
  const newest = recent.at(-1);
  if (newest === undefined) return null;
  let first = recent.length - 1;
  while (first > 0 && newest.at - recent[first - 1]!.at <= rateOverMs) first--;
  const elapsed = newest.at - recent[first]!.at;
  return elapsed <= 0 ? null : ((recent.length - 1 - first) * stepsPerRound * 1000) / elapsed;
}

function checkpointOf(
  { name, update, bytes, meanReturn, saved }: Omit<PageCheckpoint, "best">,
  best: boolean,
): PageCheckpoint {
  return { name, update, bytes, meanReturn, saved, best };
}

/** What heartbeats say is the member's own word: only numbers and short texts of it are passed on. */
function memberOf(member: MemberView, silentSeconds: number): PageMember {
  const { said, updates, stepsPerSecond } = member.heard;
  const number = (name: string): number | null => (typeof said[name] === "number" ? said[name] : null);
  const text = (name: string): string => (typeof said[name] === "string" ? said[name].slice(0, 200) : "");
  const newestPolicy = number("newestPolicy");
  const base = {
    id: member.id,
    host: member.host,
    pid: member.pid,
    lastSeenSeconds: member.lastSeenSeconds,
    workers: number("workers"),
    busyWorkers: number("busyWorkers"),
    stepsPerSecond,
    lag: newestPolicy === null ? null : Math.max(0, updates - newestPolicy),
    detail: text("notReady"),
  };
  return { ...base, state: stateOf(member, base, silentSeconds) };
}

function stateOf(
  { lastSeenSeconds, beats, role, heard }: MemberView,
  { detail, busyWorkers }: Pick<PageMember, "detail" | "busyWorkers">,
  silentSeconds: number,
): PageMember["state"] {
  if (beats === 0) return "starting";
  if (lastSeenSeconds > silentSeconds) return "silent";
  if (detail !== "") return "waiting";
  return role === "LEARNER" || (busyWorkers ?? 0) > 0 || (heard.stepsPerSecond ?? 0) > 0 ? "working" : "idle";
}
