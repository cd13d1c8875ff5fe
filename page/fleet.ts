import type { PageMember, PageStatus } from "../shared/pageEvents.ts";
import { byId, element, setText } from "./element.ts";
import { ago, readable } from "./numbers.ts";

/** The table of who works on the run. */
export function showFleet({ learner, actors, actorCount, stepsPerSecond, metrics, over }: PageStatus): void {
  const rows = [
    ...(learner === null ? [] : [row(learner, "learner", over ? null : stepsPerSecond)]),
    ...actors.map((actor) => row(actor, "actor", actor.stepsPerSecond)),
  ];
  const body = byId("members").querySelector("tbody")!;
  if (rows.length === 0)
    rows.push(element("tr", {}, element("td", { colspan: "6", class: "soft" }, "Nobody works on the run now.")));
  body.replaceChildren(...rows);
  const more = actorCount > actors.length ? `, the first ${actors.length} shown` : "";
  const lag = metrics.policy_lag;
  const lagText = typeof lag === "number" ? ` · mean policy lag ${readable(lag)}` : "";
  const plural = actorCount === 1 ? "actor" : "actors";
  setText(
    byId("fleetSummary"),
    `${learner === null ? "no learner" : "1 learner"}, ${actorCount} ${plural}${more}${lagText}`,
  );
}

function row(member: PageMember, role: string, rate: number | null): HTMLTableRowElement {
  const { id, host, pid, state, detail, workers, busyWorkers, lag, lastSeenSeconds } = member;
  const name = element("th", { scope: "row" }, id, element("small", {}, ` ${host}, pid ${pid}`));
  const pill = element("span", { class: `pill ${state}` }, state);
  const stateCell = element("td", {}, pill, ...(detail === "" ? [] : [element("small", {}, ` ${detail}`)]));
  const cell = (text: string): HTMLElement => element("td", {}, text);
  const busy = workers === null ? "–" : `${busyWorkers ?? 0} of ${workers}`;
  const behind = role === "learner" || lag === null ? "–" : String(lag);
  return element(
    "tr",
    { class: role },
    name,
    stateCell,
    cell(busy),
    cell(readable(rate)),
    cell(behind),
    cell(ago(lastSeenSeconds)),
  );
}
