/** One line as pino writes it. */
interface LogRecord {
  readonly level: string;
  readonly component?: string;
  readonly msg?: string;
}

export interface RepeatLimitSettings {
  /** Writes a line, with its newline. */
  readonly write: (line: string) => void;
  readonly windowMs: number;
  readonly alike: number; // lines of one kind written in a window
  readonly all: number; // lines written in a window, whatever their kinds
}

interface Kind {
  written: number;
  held: number;
  last: LogRecord;
}

const usual = { windowMs: 60_000, alike: 10, all: 300 };

/** What someone who asked for them wants to see every one of; and the last words of a process. */
const unlimited: ReadonlySet<string> = new Set(["trace", "debug", "fatal"]);

/**
 * Keeps a log from flooding a disk: in each minute the first lines of a kind are written, the others counted, and at the
 * minute's end (or at the process's, by flush) one line says how many there were and what the last one said. Lines are of
 * one kind where level, component and message are the same but for numbers and ids. The number of kinds is bounded, too:
 * a peer that puts something new into every message hits the bound on all lines.
 */
export class RepeatLimit {
  readonly #settings: RepeatLimitSettings;
  readonly #kinds = new Map<string, Kind>();
  #written = 0;
  #held = 0; // lines of kinds that began when the window was full
  #window: NodeJS.Timeout | null = null;

  constructor(settings: Partial<RepeatLimitSettings> & Pick<RepeatLimitSettings, "write">) {
    this.#settings = { ...usual, ...settings };
  }

  /** `line`: JSON of a LogRecord with more fields, and a newline. */
  add(line: string): void {
    const { write, windowMs, alike, all } = this.#settings;
    const record = JSON.parse(line) as LogRecord;
    if (unlimited.has(record.level)) return write(line);
    this.#window ??= setTimeout(() => this.flush(), windowMs).unref();
    const seen = this.#seen(record);
    if (seen === null) this.#held++;
    else if (seen.written < alike && this.#written < all) {
      seen.written++;
      this.#written++;
      write(line);
    } else {
      seen.held++;
      seen.last = record;
    }
  }

  /** Tells what was held back, and begins anew. */
  flush(): void {
    if (this.#window !== null) clearTimeout(this.#window);
    this.#window = null;
    for (const { held, last } of this.#kinds.values())
      if (held > 0) this.#tell(last, `${held} more lines like this one were held back: ${last.msg ?? ""}`);
    if (this.#held > 0)
      this.#tell({ level: "warn", component: "log" }, `${this.#held} more lines of other kinds were held back`);
    this.#kinds.clear();
    this.#written = 0;
    this.#held = 0;
  }

  /** null: a kind of its own, for which there is no room in this window. */
  #seen(record: LogRecord): Kind | null {
    const kind = kindOf(record);
    const known = this.#kinds.get(kind);
    if (known !== undefined || this.#written >= this.#settings.all) return known ?? null;
    const seen = { written: 0, held: 0, last: record };
    this.#kinds.set(kind, seen);
    return seen;
  }

  #tell({ level, component }: LogRecord, msg: string): void {
    this.#settings.write(`${JSON.stringify({ level, time: new Date().toISOString(), component, msg })}\n`);
  }
}

/** Long enough for every message of ours; a peer's text behind it does not make another kind. */
const kindLength = 120;

function kindOf({ level, component, msg }: LogRecord): string {
  return `${level} ${component} ${(msg ?? "").slice(0, kindLength).replace(/[0-9a-f]*\d[0-9a-f]*/gi, "#")}`;
}
