import type { ServerResponse } from "node:http";
import { ChildLines, type Launch } from "./childLines.ts";
import { EventStream } from "./eventStream.ts";

export const mostSpectators = 4;
/** Pictures a second: enough for the eye, and little for whoever trains on the same machine. */
const fps = 15;
/** A page that is loaded again comes back within this time; the game goes on meanwhile. */
const emptyMs = 2_000;

/** Events of `anchorage watch --json` (docs/policy.md) that are passed on; `frame` is the only frequent one. */
const passedOn = new Set(["watching", "policy", "frame", "episode"]);

/**
 * The agent at play: one child process of `anchorage watch` while somebody looks, whoever many they are, and none when
 * nobody does. A spectator who reads too slowly misses frames.
 */
export class Play {
  readonly #launch: Launch;
  readonly #runDir: string;
  readonly #spectators = new Set<EventStream>();
  #child: ChildLines | null = null;
  #empty: NodeJS.Timeout | null = null;
  #introduction = new Map<string, string>(); // the newest `watching` and `policy`, for who comes later

  constructor(launch: Launch, runDir: string) {
    this.#launch = launch;
    this.#runDir = runDir;
  }

  get spectators(): number {
    return this.#spectators.size;
  }

  add(response: ServerResponse): void {
    const stream = new EventStream(
      response,
      () => undefined,
      () => this.#remove(stream),
    );
    this.#spectators.add(stream);
    if (this.#empty !== null) clearTimeout(this.#empty);
    this.#empty = null;
    if (this.#child === null) this.#start();
    else for (const [event, json] of this.#introduction) stream.send(event, json);
  }

  close(): void {
    if (this.#empty !== null) clearTimeout(this.#empty);
    for (const stream of this.#spectators) stream.close();
    this.#child?.stop();
  }

  #start(): void {
    const args = ["watch", "--run-dir", this.#runDir, "--json", "--sample", "--fps", String(fps)];
    this.#introduction.clear();
    const child = new ChildLines(
      this.#launch,
      args,
      (line) => this.#tell(line),
      (problem) => this.#ended(child, problem),
    );
    this.#child = child;
  }

  #tell(line: string): void {
    const event = eventOf(line);
    if (event === null) return;
    if (event === "watching" || event === "policy") this.#introduction.set(event, line);
    for (const stream of this.#spectators) if (stream.ready) stream.send(event, line);
  }

  /** By itself: it failed, or was killed. Spectators are told and may ask again. */
  #ended(child: ChildLines, problem: string): void {
    if (this.#child !== child) return;
    this.#child = null;
    for (const stream of this.#spectators) {
      stream.send("ended", JSON.stringify({ problem }));
      stream.close();
    }
  }

  #remove(stream: EventStream): void {
    this.#spectators.delete(stream);
    if (this.#spectators.size > 0 || this.#child === null) return;
    this.#empty ??= setTimeout(() => {
      this.#empty = null;
      const child = this.#child;
      this.#child = null;
      child?.stop();
    }, emptyMs);
  }
}

/** null: nothing that a page shows. */
function eventOf(line: string): string | null {
  const named = /^\{"event":"([a-z]+)"/.exec(line)?.[1];
  return named !== undefined && passedOn.has(named) ? named : null;
}
