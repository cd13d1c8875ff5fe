import type { PageRun, PageStatus } from "../shared/pageEvents.ts";
import { Checkpoints } from "./checkpoints.ts";
import { Compare } from "./compare.ts";
import { ask, Connection, proof } from "./connection.ts";
import { Controls } from "./controls.ts";
import { Curves } from "./curves.ts";
import { byId, setText, show } from "./element.ts";
import { showFleet } from "./fleet.ts";
import { LogView } from "./logView.ts";
import { showOverview, showRun } from "./overview.ts";
import { Play } from "./play.ts";

let run: PageRun | null = null;
let status: PageStatus | null = null;
let toldState = "";

/** For who cannot see what changed; and a line for all where it matters. */
function say(text: string): void {
  setText(byId("announcer"), text);
  banner(text, "note");
}

function banner(text: string, kind: "note" | "lost" | "bad" | ""): void {
  const place = byId("banner");
  show(place, text !== "");
  setText(place, text);
  place.dataset.kind = kind;
}

const curves = new Curves(() => connection.refresh());
const compare = new Compare(curves);
const log = new LogView();
const play = new Play();
const controls = new Controls(say, () => void enter());
const checkpoints = new Checkpoints(
  (checkpoint, episodes) =>
    void controls.withToken(async () => {
      await ask("/api/evaluate", { checkpoint, episodes });
    }),
);

const connection = new Connection(
  {
    run: (told) => {
      // Another run on this address, or a newer page: what is shown would not be true any more.
      if (run !== null && (run.runId !== told.runId || run.build !== told.build)) return location.reload();
      const first = run === null;
      run = told;
      showRun(told);
      show(byId("play"), told.canPlay);
      if (first) void compare.look();
    },
    history: (told) => {
      curves.replace(told);
      compare.draw();
    },
    updates: (told) => {
      curves.add(told);
      compare.draw();
    },
    status: showStatus,
    log: (told) => log.add(told),
  },
  (connected) => {
    controls.connected = connected;
    document.body.classList.toggle("lost", !connected);
    if (connected) return banner("", "");
    if (status?.over) return banner(`${ended(status)} Its coordinator has ended: this page stays as it was.`, "note");
    const meanwhile = status?.state === "STOPPING" ? "The run was about to stop." : "Training goes on without it.";
    banner(`The coordinator does not answer; trying again. ${meanwhile}`, "lost");
  },
);

function showStatus(told: PageStatus): void {
  if (run === null) return;
  status = told;
  show(byId("main"), true);
  showOverview(run, told);
  showFleet(told);
  checkpoints.show(run, told, controls.unlocked);
  controls.show(run, told);
  play.possible = told.checkpoints.length > 0;
  if (told.failure !== "") banner(`The run failed: ${told.failure}`, "bad");
  else if (told.differences.length > 0) banner(`Not reproducible any more: ${told.differences.join("; ")}`, "note");
  else if (byId("banner").dataset.kind === "bad") banner("", ""); // it goes on
  const state = told.over ? ended(told) : `The run is ${told.state.toLowerCase()}.`;
  if (toldState !== "" && state !== toldState) setText(byId("announcer"), state);
  toldState = state;
}

function ended({ state, updates }: PageStatus): string {
  const word = state === "FINISHED" ? "finished" : state === "FAILED" ? "failed" : "stopped";
  return `The run has ${word} after ${updates} updates.`;
}

/** Opens the stream, or asks for the token where the page is not for everybody. */
async function enter(): Promise<void> {
  const access = await ask<{ view: boolean; control: boolean }>("/api/access").catch(() => null);
  if (access === null) {
    banner("The coordinator does not answer; trying again.", "lost");
    setTimeout(() => void enter(), 2000);
    return;
  }
  if (!access.control) proof.forget();
  show(byId("locked"), !access.view);
  if (access.view) connection.open();
  else setText(byId("subtitle"), "Locked");
}

void enter();
