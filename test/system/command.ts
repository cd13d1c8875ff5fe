import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { projectRoot } from "../../shared/nativeParts.ts";

const main = join(projectRoot, "dist", "cli", "main.js");

export interface Finished {
  readonly status: number | null;
  readonly events: readonly Record<string, unknown>[]; // of --json
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly process: ChildProcess;
  /** Resolves with the first event for which `wanted` holds; rejects if the process ends before. */
  readonly event: (wanted: (event: Record<string, unknown>) => boolean) => Promise<Record<string, unknown>>;
  readonly finished: Promise<Finished>;
}

/** Starts the compiled command line, as `npx anchorage ...` does. */
export function start(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Running {
  if (!existsSync(main)) throw new Error(`${main} is missing: run npm run build before this test`);
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    cwd: options.cwd ?? projectRoot,
    env: { ...process.env, ...options.env },
  });
  const events: Record<string, unknown>[] = [];
  const waiting: {
    wanted: (event: Record<string, unknown>) => boolean;
    resolve: (event: Record<string, unknown>) => void;
    reject: (error: Error) => void;
  }[] = [];
  let stdout = "";
  let stderr = "";
  child.stderr.on("data", (data) => (stderr += data));
  createInterface({ input: child.stdout }).on("line", (line) => {
    stdout += `${line}\n`;
    if (!line.startsWith("{")) return;
    const event = JSON.parse(line) as Record<string, unknown>;
    events.push(event);
    for (const waiter of waiting.filter(({ wanted }) => wanted(event))) {
      waiting.splice(waiting.indexOf(waiter), 1);
      waiter.resolve(event);
    }
  });
  const finished = once(child, "close").then(([status]): Finished => {
    const error = new Error(`ended with status ${status} before the event: ${stderr.slice(-2000)}`);
    for (const waiter of waiting) waiter.reject(error);
    return { status: status as number | null, events, stdout, stderr };
  });
  return {
    process: child,
    finished,
    event: (wanted) => {
      const past = events.find(wanted);
      if (past) return Promise.resolve(past);
      return new Promise((resolve, reject) => waiting.push({ wanted, resolve, reject }));
    },
  };
}

/** Runs a command to its end. */
export function run(args: readonly string[], options?: Parameters<typeof start>[1]): Promise<Finished> {
  return start(args, options).finished;
}

/** A folder of this test's own, and how to remove it. */
export function temporaryFolder(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "anchorage-system-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** The event that ends a finished run. Fails with the process's own words where there is none. */
export function done(finished: Finished): {
  agentSteps: number;
  updates: number;
  meanReturn: number;
  weightsSha256: string;
} {
  const event = finished.events.find(({ event }) => event === "done");
  if (!event) throw new Error(`no done event, status ${finished.status}: ${finished.stderr.slice(-3000)}`);
  return event as unknown as ReturnType<typeof done>;
}
