import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { messageOf, OperatorError } from "../../shared/errors.ts";
import type { PageCurve, PageSibling } from "../../shared/pageEvents.ts";

/** Read of a folder with more of them: the first by name. */
const mostRuns = 100;
const mostBytes = 64 * 1024 * 1024; // of a metrics.jsonl
const mostPoints = 512;
const mostCached = 12;

const Config = z.object({ env: z.string(), algo: z.string(), seed: z.number() });
const State = z.object({ state: z.enum(["RUNNING", "PAUSED", "STOPPING", "FINISHED", "FAILED"]) });

/**
 * The other runs of a folder (by default that in which the run itself is), to compare with. What a folder holds is read when
 * it is asked for; one that is no readable run is left out.
 */
export class SiblingRuns {
  readonly #folder: string;
  readonly #own: string; // run folder
  readonly #cache = new Map<string, { readonly mark: string; readonly curve: PageCurve }>();
  #reading: Promise<unknown> = Promise.resolve();

  constructor(runFolder: string, folder: string | null) {
    this.#own = runFolder;
    this.#folder = folder ?? dirname(runFolder);
  }

  /** Throws STORAGE where the folder cannot be read. */
  async list(): Promise<PageSibling[]> {
    const found: PageSibling[] = [];
    for (const name of (await this.#names()).slice(0, mostRuns)) {
      const sibling = await this.#siblingOf(name);
      if (sibling !== null) found.push(sibling);
    }
    return found;
  }

  /** One after the other: each may be tens of megabytes. Throws MISMATCH where the folder holds no such run. */
  curve(name: string): Promise<PageCurve> {
    const read = this.#reading.then(() => this.#curve(name));
    this.#reading = read.catch(() => undefined);
    return read;
  }

  async #names(): Promise<string[]> {
    try {
      const entries = await readdir(this.#folder, { withFileTypes: true });
      return entries
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name)
        .sort();
    } catch (cause) {
      const problem = `${this.#folder} cannot be read: ${messageOf(cause)}.`;
      throw new OperatorError("STORAGE", problem, "Give pageRuns a folder of runs.", { cause });
    }
  }

  async #siblingOf(name: string): Promise<PageSibling | null> {
    const folder = join(this.#folder, name);
    try {
      const { env, algo, seed } = Config.parse(JSON.parse(await readFile(join(folder, "config.json"), "utf8")));
      const { state } = State.parse(JSON.parse(await readFile(join(folder, "state.json"), "utf8")));
      return { name, env: basename(env), algo: basename(algo), seed, state, own: folder === this.#own };
    } catch {
      return null; // no run, or a damaged one: nothing to compare with
    }
  }

  async #curve(name: string): Promise<PageCurve> {
    // Only names that the folder has: no path of the asker's is ever opened.
    if (!(await this.#names()).includes(name))
      throw new OperatorError("MISMATCH", `There is no run "${name}" in that folder.`, "Load the page again.");
    const file = join(this.#folder, name, "metrics.jsonl");
    const { size, mtimeMs } = await stat(file).catch((cause: unknown) => {
      throw new OperatorError("MISMATCH", `Run ${name} has no updates yet.`, "Look again later.", { cause });
    });
    const mark = `${size} ${mtimeMs}`;
    const cached = this.#cache.get(name);
    if (cached?.mark === mark) return cached.curve;
    if (size > mostBytes) {
      const problem = `The ${size} bytes of ${name}/metrics.jsonl are more than the page reads (${mostBytes}).`;
      throw new OperatorError("CONFIG", problem, "Compare it with `anchorage report`.");
    }
    const curve = await readCurve(file);
    if (this.#cache.size >= mostCached) this.#cache.delete(this.#cache.keys().next().value!);
    this.#cache.set(name, { mark, curve });
    return curve;
  }
}

const newline = 10;
const Point = z.object({ agent_steps: z.number(), mean_return: z.number().nullish() });

async function readCurve(file: string): Promise<PageCurve> {
  const points: { agentSteps: number; meanReturn: number | null }[] = [];
  let unreadableLines = 0;
  let point: ReturnType<typeof pointOf> = null;
  let ended = true; // by a newline, as a whole line is
  const input = createReadStream(file).on("data", (bytes) => (ended = bytes.at(-1) === newline));
  for await (const line of createInterface({ input })) {
    point = pointOf(line);
    if (point === null) unreadableLines++;
    else points.push(point);
  }
  if (!ended && point === null) unreadableLines--; // of a run that goes on the newest may be half written
  const stride = Math.max(1, Math.ceil(points.length / mostPoints));
  // Each already is a mean over 100 episodes: every n-th of them, and the newest, tell the same story.
  const kept = points.filter((_, i) => i % stride === 0 || i === points.length - 1);
  const agentSteps = kept.map((each) => each.agentSteps);
  return { agentSteps, meanReturn: kept.map((each) => each.meanReturn), unreadableLines };
}

function pointOf(line: string) {
  try {
    const { agent_steps: agentSteps, mean_return: meanReturn } = Point.parse(JSON.parse(line));
    return { agentSteps, meanReturn: meanReturn ?? null };
  } catch {
    return null; // readCurve counts it
  }
}
