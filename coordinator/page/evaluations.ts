import { z } from "zod";
import { OperatorError } from "../../shared/errors.ts";
import type { PageEvaluation } from "../../shared/pageEvents.ts";
import type { CheckpointEntry } from "../checkpointStore.ts";
import { ChildLines, type Launch } from "./childLines.ts";

const mostKept = 20;
const longestMs = 15 * 60_000;
export const mostEpisodes = 100;

/** What is needed of the one line that `anchorage evaluate --json` writes. */
const Result = z.object({ mean: z.number(), std: z.number(), min: z.number(), max: z.number() });

/** Evaluations of checkpoints that somebody asked for, one at a time, each a child process of `anchorage evaluate`. */
export class Evaluations {
  readonly #launch: Launch;
  readonly #runDir: string;
  readonly #onChange: () => void;
  #list: readonly PageEvaluation[] = []; // newest first
  #child: ChildLines | null = null;
  #made = 0;

  constructor(launch: Launch, runDir: string, onChange: () => void) {
    this.#launch = launch;
    this.#runDir = runDir;
    this.#onChange = onChange;
  }

  get list(): readonly PageEvaluation[] {
    return this.#list;
  }

  /** Throws BUSY while another one is played. */
  start({ name, update }: Pick<CheckpointEntry, "name" | "update">, episodes: number): PageEvaluation {
    if (this.#child !== null)
      throw new OperatorError("BUSY", "Another evaluation is being played.", "Wait until it is done.");
    const id = ++this.#made;
    const begun = { id, checkpoint: name, update, episodes, problem: "", ...noNumbers };
    this.#list = [{ ...begun, state: "playing" as const }, ...this.#list].slice(0, mostKept);
    let said = "";
    const wanted = ["--checkpoint", String(update), "--episodes", String(episodes), "--json"];
    const child = new ChildLines(
      this.#launch,
      ["evaluate", "--run-dir", this.#runDir, ...wanted],
      (line) => {
        said = line;
      },
      (problem) => {
        clearTimeout(timer);
        this.#child = null;
        this.#change(id, outcome(said, problem));
      },
    );
    const timer = setTimeout(() => child.stop(), longestMs);
    timer.unref();
    this.#child = child;
    this.#onChange();
    return this.#list[0]!;
  }

  close(): void {
    this.#child?.stop();
  }

  #change(id: number, change: Partial<PageEvaluation>): void {
    this.#list = this.#list.map((one) => (one.id === id ? { ...one, ...change } : one));
    this.#onChange();
  }
}

const noNumbers = { mean: null, std: null, min: null, max: null };

function outcome(said: string, problem: string): Partial<PageEvaluation> {
  try {
    if (problem === "") return { ...Result.parse(JSON.parse(said)), state: "done" };
  } catch {
    // its line is no result: it was stopped before it had one
  }
  return { state: "failed", problem: problem || "It was stopped before it was done." };
}
