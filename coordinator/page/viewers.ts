import type { ServerResponse } from "node:http";
import type { Logger } from "../../shared/log.ts";
import type { PageEvaluation, PageLog, PageRun } from "../../shared/pageEvents.ts";
import { runShape } from "../../shared/runConfig.ts";
import type { TrainingRun } from "../trainingRun.ts";
import { CurveHistory, columns } from "./curveHistory.ts";
import { EventStream } from "./eventStream.ts";
import { LogTail } from "./logTail.ts";
import { pageStatus } from "./pageStatus.ts";

/** Each costs a connection and, while it is slow, up to about a megabyte. */
export const mostViewers = 16;
/** Changes within this time are told together: CartPole makes 50 updates a second. */
const togetherMs = 400;
const statusEveryMs = 2_000;
/** Beyond that many updates at once the whole history, which is bounded, is less. */
const mostUpdatesAtOnce = 400;

interface Viewer {
  readonly stream: EventStream;
  seen: { readonly update: number; readonly generation: number } | null; // of the curves; null: nothing yet
  epoch: number;
  seenLines: number | null; // null: no log yet
}

/** The open streams of GET /api/events. Without any nothing is read, counted or kept up to date. */
export class Viewers {
  readonly #run: TrainingRun;
  readonly #about: PageRun;
  readonly #evaluations: () => readonly PageEvaluation[];
  readonly #log: Logger;
  readonly #history: CurveHistory;
  readonly #tail: LogTail;
  readonly #silentSeconds: number;
  readonly #open = new Set<Viewer>();
  #tick: NodeJS.Timeout | null = null;
  #soon: NodeJS.Timeout | null = null;
  #telling: Promise<void> = Promise.resolve();

  constructor(
    run: TrainingRun,
    about: PageRun,
    parts: {
      readonly evaluations: () => readonly PageEvaluation[];
      readonly silentSeconds: number; // without a heartbeat
      readonly log: Logger;
    },
  ) {
    this.#run = run;
    this.#about = about;
    this.#evaluations = parts.evaluations;
    this.#silentSeconds = parts.silentSeconds;
    this.#log = parts.log;
    this.#history = new CurveHistory(run.parts.metricsLog, runShape(run.parts.store.config).stepsPerRound);
    this.#tail = new LogTail(run.parts.store.folder);
  }

  get open(): number {
    return this.#open.size;
  }

  /** `after`: the newest update that the viewer has, `<update>-<generation>`: only what followed is told, if that can be. */
  add(response: ServerResponse, after: string | null): void {
    const viewer: Viewer = {
      stream: new EventStream(
        response,
        () => this.tellSoon(),
        () => this.#remove(viewer),
      ),
      seen: placeOf(after),
      epoch: this.#history.epoch,
      seenLines: null,
    };
    this.#open.add(viewer);
    viewer.stream.send("run", JSON.stringify(this.#about));
    if (this.#tick === null) {
      this.#run.on("changed", this.tellSoon);
      this.#tick = setInterval(this.#tellNow, statusEveryMs);
    }
    this.#tellNow();
  }

  readonly tellSoon = (): void => {
    if (this.#open.size > 0) this.#soon ??= setTimeout(this.#tellNow, togetherMs);
  };

  /**
   * Tells the state that the coordinator leaves, which may be the run's last: nobody else will. Then the page goes on its
   * own: browsers come again, and to the next coordinator.
   */
  async close(): Promise<void> {
    this.#tellNow();
    await this.#telling;
    await Promise.all([...this.#open].map(({ stream }) => stream.close()));
    this.#rest();
    this.#tail.close();
  }

  #remove(viewer: Viewer): void {
    this.#open.delete(viewer);
    if (viewer.stream.dropped) this.#log.warn("a viewer of the page was too slow and was cut off");
    if (this.#open.size === 0) this.#rest();
  }

  #rest(): void {
    if (this.#tick !== null) clearInterval(this.#tick);
    if (this.#soon !== null) clearTimeout(this.#soon);
    this.#tick = null;
    this.#soon = null;
    this.#run.off("changed", this.tellSoon);
  }

  readonly #tellNow = (): void => {
    if (this.#soon !== null) clearTimeout(this.#soon);
    this.#soon = null;
    this.#telling = this.#telling
      .then(() => this.#tell())
      .catch((error: unknown) => this.#log.error({ err: error }, "the page could not be brought up to date"));
  };

  async #tell(): Promise<void> {
    if (this.#open.size === 0) return;
    await this.#history.catchUp();
    await this.#tail.look();
    const { recent } = this.#history;
    const status = JSON.stringify(pageStatus(this.#run, recent, this.#evaluations(), this.#silentSeconds));
    let whole: string | null = null;
    for (const viewer of this.#open) {
      if (!viewer.stream.ready) continue;
      if (!this.#tellUpdates(viewer)) {
        whole ??= JSON.stringify(this.#history.whole);
        this.#tellHistory(viewer, whole);
      }
      viewer.stream.send("status", status);
      this.#tellLog(viewer);
    }
  }

  /** false: only the whole history will do. */
  #tellUpdates(viewer: Viewer): boolean {
    if (viewer.seen === null || viewer.epoch !== this.#history.epoch) return false;
    const { update, generation } = viewer.seen;
    const points = this.#history.after(update, generation);
    if (points === null || points.length > mostUpdatesAtOnce) return false;
    const last = points.at(-1);
    if (last === undefined) return true;
    viewer.stream.send("updates", JSON.stringify(columns(1, points)), `${last.update}-${last.generation}`);
    viewer.seen = last;
    return true;
  }

  #tellHistory(viewer: Viewer, whole: string): void {
    const last = this.#history.recent.at(-1);
    viewer.epoch = this.#history.epoch;
    viewer.seen = last ?? { update: 0, generation: 0 };
    viewer.stream.send("history", whole, `${viewer.seen.update}-${viewer.seen.generation}`);
  }

  #tellLog(viewer: Viewer): void {
    const reset = viewer.seenLines === null;
    const lines = this.#tail.since(viewer.seenLines ?? 0);
    viewer.seenLines = this.#tail.total;
    if (reset || lines.length > 0) viewer.stream.send("log", JSON.stringify({ reset, lines } satisfies PageLog));
  }
}

function placeOf(after: string | null): Viewer["seen"] {
  const [, update, generation] = /^(\d{1,12})-(\d{1,12})$/.exec(after ?? "") ?? [];
  return update === undefined ? null : { update: Number(update), generation: Number(generation) };
}
