import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { listenToLog } from "../../shared/log.ts";
import type { PageLogLine } from "../../shared/pageEvents.ts";

const mostFiles = 8;
const mostBytesAtOnce = 64 * 1024; // of a file; of what is longer only the end is read
const mostLines = 400;
const longestLine = 600; // characters

/**
 * The newest lines of a run's logs/*.log (`train` keeps them; each role's), merged by time; where there are none, of this
 * process's own log. Reads only what was added since it last looked, and never more than a bounded piece of it.
 */
export class LogTail {
  readonly #folder: string;
  readonly #places = new Map<string, number>(); // bytes read, by file
  #lines: PageLogLine[] = [];
  #total = 0;
  #own: string[] = []; // lines of this process that nobody has looked at yet

  constructor(runFolder: string) {
    this.#folder = join(runFolder, "logs");
    listenToLog((line) => {
      this.#own.push(line);
      if (this.#own.length > 2 * mostLines) this.#own = this.#own.slice(-mostLines);
    });
  }

  close(): void {
    listenToLog(null);
  }

  /** Lines seen since the beginning: a viewer that has `seen` of them gets since(seen). */
  get total(): number {
    return this.#total;
  }

  since(seen: number): readonly PageLogLine[] {
    const fresh = Math.min(this.#total - seen, this.#lines.length);
    return fresh <= 0 ? [] : this.#lines.slice(-fresh);
  }

  async look(): Promise<void> {
    const fresh: PageLogLine[] = [];
    const files = await logFiles(this.#folder);
    for (const name of files) fresh.push(...(await this.#added(name)));
    if (files.length === 0) fresh.push(...this.#own.map((line) => readable(line.trimEnd(), "coordinator")));
    this.#own = [];
    fresh.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
    this.#total += fresh.length;
    this.#lines = [...this.#lines, ...fresh].slice(-mostLines);
  }

  async #added(name: string): Promise<PageLogLine[]> {
    const path = join(this.#folder, name);
    const { size } = await stat(path);
    const before = this.#places.get(name);
    const from = before === undefined || size < before ? 0 : before; // rotated: it begins anew
    if (size === from) return [];
    const skipped = Math.max(from, size - mostBytesAtOnce);
    const text = await piece(path, skipped, size);
    const end = text.lastIndexOf("\n") + 1;
    if (end === 0 && text.length < mostBytesAtOnce) return []; // no whole line yet
    this.#places.set(name, skipped + (end === 0 ? size - skipped : end));
    const lines = text.slice(0, end).split("\n");
    if (skipped > from) lines.shift(); // the rest of a line
    const component = name.replace(/\.log$/, "");
    return lines.filter((line) => line.trim() !== "").map((line) => readable(utf8Of(line), component));
  }
}

async function logFiles(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names.filter((name) => name.endsWith(".log")).slice(0, mostFiles);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return []; // roles that were started by hand log to stderr
    throw error;
  }
}

async function piece(path: string, from: number, to: number): Promise<string> {
  let file: FileHandle | null = null;
  try {
    file = await open(path, "r");
    const bytes = Buffer.alloc(to - from);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, from);
    return bytes.toString("latin1", 0, bytesRead); // bytes and characters the same: places stay exact
  } finally {
    await file?.close();
  }
}

const utf8Of = (latin1: string): string => Buffer.from(latin1, "latin1").toString("utf8");

const fixedFields = new Set(["level", "time", "component", "msg"]);

/** A line of pino's, or a plain one of whatever else writes there. */
function readable(line: string, file: string): PageLogLine {
  if (line.startsWith("{"))
    try {
      const record = JSON.parse(line) as Record<string, unknown>;
      const extras = Object.entries(record)
        .filter(([key]) => !fixedFields.has(key))
        .map(([key, value]) => (key === "err" ? errorText(value) : `${key}=${plain(value)}`));
      const text = [String(record.msg ?? ""), ...extras].filter((part) => part !== "").join("  ");
      const { time = "", level = "info", component = file } = record;
      return { time: String(time), level: String(level), component: String(component), text: cut(text) };
    } catch {
      // not JSON after all: shown as it is
    }
  return { time: "", level: "info", component: file, text: cut(line) };
}

const plain = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
const errorText = (error: unknown): string => String((error as { message?: unknown } | null)?.message ?? plain(error));
const cut = (text: string): string => (text.length > longestLine ? `${text.slice(0, longestLine)} …` : text);
