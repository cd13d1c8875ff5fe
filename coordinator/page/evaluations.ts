import { copyFile, link, rm } from "node:fs/promises";
import { join } from "node:path";
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
  #busy = false;
  #made = 0;

  constructor(launch: Launch, runDir: string, onChange: () => void) {
    this.#launch = launch;
    this.#runDir = runDir;
    this.#onChange = onChange;
  }

  get list(): readonly PageEvaluation[] {
    return this.#list;
  }

  /** Rejects with BUSY while another one is played, and where the checkpoint has just gone. */
  async start({ name, update }: Pick<CheckpointEntry, "name" | "update">, episodes: number): Promise<PageEvaluation> {
    if (this.#busy) throw new OperatorError("BUSY", "Another evaluation is being played.", "Wait until it is done.");
    this.#busy = true;
    const file = join(this.#runDir, `evaluated.ckpt.unfinished-${process.pid}`); // a crash's is removed at the next start
    try {
      await keepAlive(join(this.#runDir, "checkpoints", `${name}.ckpt`), file);
    } catch (cause) {
      this.#busy = false;
      throw new OperatorError("BUSY", `Checkpoint ${name} cannot be had.`, "Choose a newer one.", { cause });
    }
    const id = ++this.#made;
    const begun = { id, checkpoint: name, update, episodes, problem: "", ...noNumbers };
    this.#list = [{ ...begun, state: "playing" as const }, ...this.#list].slice(0, mostKept);
    this.#play(id, ["--checkpoint", file, "--episodes", String(episodes), "--json"], () => rm(file, { force: true }));
    this.#onChange();
    return this.#list[0]!;
  }

  #play(id: number, flags: readonly string[], cleanUp: () => Promise<void>): void {
    let said = "";
    const child = new ChildLines(
      this.#launch,
      ["evaluate", "--run-dir", this.#runDir, ...flags],
      (line) => {
        said = line;
      },
      (problem) => {
        clearTimeout(timer);
        this.#child = null;
        void cleanUp().finally(() => {
          this.#busy = false;
          this.#change(id, outcome(said, problem));
        });
      },
    );
    const timer = setTimeout(() => child.stop(), longestMs);
    timer.unref();
    this.#child = child;
  }

  close(): void {
    this.#child?.stop();
  }

  #change(id: number, change: Partial<PageEvaluation>): void {
    this.#list = this.#list.map((one) => (one.id === id ? { ...one, ...change } : one));
    this.#onChange();
  }
}

/** A second name of the file: a fast run removes old checkpoints within seconds. */
async function keepAlive(checkpoint: string, as: string): Promise<void> {
  await rm(as, { force: true });
  await link(checkpoint, as).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") throw error;
    return copyFile(checkpoint, as); // a file system without links
  });
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
