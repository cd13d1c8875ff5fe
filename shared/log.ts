import { isatty } from "node:tty";
import { type Logger, pino, stdTimeFunctions } from "pino";
import { OperatorError } from "./errors.ts";
import { LogSink } from "./logSink.ts";
import { RepeatLimit } from "./repeatLimit.ts";

export type { Logger } from "pino";

const levels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
const stderr = 2;

/** Keys whose values never reach a log line, at the top and one level down. */
const secrets = ["password", "token", "secret", "credentials", "authorization", "apiKey"];

function chosenLevel(): string {
  const level = process.env.ANCHORAGE_LOG ?? "info";
  if ((levels as readonly string[]).includes(level)) return level;
  const problem = `ANCHORAGE_LOG=${level} is no log level.`;
  throw new OperatorError("CONFIG", problem, `Set one of ${levels.join(", ")}.`);
}

/** People at a terminal get short lines; files, pipes and collectors get JSON. ANCHORAGE_LOG_FORMAT=human|json decides. */
function forPeople(): boolean {
  const format = process.env.ANCHORAGE_LOG_FORMAT;
  if (format === undefined || format === "") return isatty(stderr);
  if (format === "human" || format === "json") return format === "human";
  throw new OperatorError("CONFIG", `ANCHORAGE_LOG_FORMAT=${format} is no log format.`, "Set human or json.");
}

const fixedFields = new Set(["level", "time", "component", "msg", "err"]);

/** One pino JSON line as a short human line: `12:00:01 warn  coordinator  message key=value`. */
export function humanLine(json: string): string {
  const record = JSON.parse(json) as Record<string, unknown>;
  const clock = String(record.time).slice(11, 19);
  const extras = Object.entries(record)
    .filter(([key]) => !fixedFields.has(key))
    .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const error = record.err as { message?: string; stack?: string } | undefined;
  // An OperatorError's message is meant to be read; any other error is a bug whose stack is needed.
  const cause = error && (error.message?.startsWith("[") ? error.message : (error.stack ?? error.message));
  const parts = [clock, String(record.level).padEnd(5), String(record.component ?? ""), String(record.msg ?? "")];
  return `${[...parts, ...extras].filter((part) => part !== "").join(" ")}${cause ? `\n  ${cause}` : ""}\n`;
}

let root: Logger | null = null;
let listener: ((json: string) => void) | null = null;

/** From now on every line that this process logs, as JSON, also goes to `listen`, which must not log; null: no more. */
export function listenToLog(listen: ((json: string) => void) | null): void {
  listener = listen;
}

function makeRoot(): Logger {
  const sink = new LogSink(stderr, (lines, why) => root?.warn(`${lines} lines of this log are lost: ${why}`));
  const human = forPeople();
  const write = (line: string): void => {
    sink.write(human ? humanLine(line) : line);
    listener?.(line);
  };
  const repeats = new RepeatLimit({ write });
  process.on("exit", () => repeats.flush());
  const options = {
    level: chosenLevel(),
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: secrets.flatMap((key) => [key, `*.${key}`]), censor: "[redacted]" },
  };
  return pino(options, { write: (line: string) => repeats.add(line) });
}

/**
 * The log of one component (`coordinator`, `learner.rounds`): pino, to stderr, so that stdout stays for results. Level
 * by ANCHORAGE_LOG (default info), format by ANCHORAGE_LOG_FORMAT (default: human at a terminal, else JSON lines).
 * Throws CONFIG if either is unknown. Works in worker threads. What repeats is held back and counted: see RepeatLimit.
 */
export function logger(component: string): Logger {
  root ??= makeRoot();
  return root.child({ component });
}
