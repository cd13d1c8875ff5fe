import { type ChildProcess, fork } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { type ErrorCode, OperatorError } from "../shared/errors.ts";

/** What a role process tells `train` over its IPC channel (cli/role.ts sends it). */
export type RoleMessage =
  | { readonly kind: "ready"; readonly address: string; readonly metricsPort: number }
  | {
      readonly kind: "failed";
      readonly message: string;
      /** The parts of an OperatorError; null: a bug, whose stack is in the process's log. */
      readonly forOperator: { readonly code: ErrorCode; readonly problem: string; readonly remedy: string } | null;
      readonly retry: boolean;
    };
type Failure = Extract<RoleMessage, { kind: "failed" }>;

const firstRestartMs = 250;
const longestRestartMs = 8_000;
const doneBeforeTrainMs = 10_000; // a run's members may learn of its end well before its watchers
const healthyAfterMs = 20_000;
const crashesAllowed = 8; // in a row, none of them healthy for long

interface Events {
  ready: [Extract<RoleMessage, { kind: "ready" }>];
  restart: [name: string, reason: string, restarts: number];
  gaveUp: [error: unknown];
}

/**
 * Keeps one process of a run alive: starts it again, after a growing pause, whenever it ends without being asked to.
 * Gives up (once) where it says that trying again is pointless, or after many crashes in a row.
 */
export class Supervised extends EventEmitter<Events> {
  readonly name: string;
  readonly #start: () => ChildProcess;
  readonly #whereLogged: string;
  #child: ChildProcess | null = null;
  #stopping = false;
  #crashes = 0;
  #restarts = 0;

  /** `whereLogged`: a sentence that says where its log is. */
  constructor(name: string, whereLogged: string, start: () => ChildProcess) {
    super();
    this.name = name;
    this.#whereLogged = whereLogged;
    this.#start = start;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): this {
    const child = this.#start();
    this.#child = child;
    const startedAt = Date.now();
    let failure: Failure | null = null;
    child.on("message", (message: RoleMessage) => {
      if (message.kind === "ready") this.emit("ready", message);
      else failure = message;
    });
    child.once("error", (error) => this.emit("gaveUp", this.#givingUp(`cannot be started: ${error.message}`, null)));
    child.once("exit", (code, signal) => {
      this.#child = null;
      if (this.#stopping) return;
      // Its work is done, and `train` will hear so in a moment; or somebody else ended it in good order.
      if (code === 0) return void this.#restart("it was asked to end", doneBeforeTrainMs);
      if (Date.now() - startedAt > healthyAfterMs) this.#crashes = 0;
      this.#crashes++;
      const reason = failure?.message ?? (signal === null ? `exit status ${code}` : signal);
      if (this.#isFinal(failure) || this.#crashes > crashesAllowed)
        this.emit("gaveUp", this.#givingUp(reason, failure));
      else void this.#restart(reason, Math.min(longestRestartMs, firstRestartMs * 2 ** (this.#crashes - 1)));
    });
    return this;
  }

  /** From now on its end is in order, and it is not started again. */
  letGo(): void {
    this.#stopping = true;
  }

  /** Asks it to end; kills it where it has not after `graceMs`. */
  async stop(signal: NodeJS.Signals, graceMs: number): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (child === null || child.exitCode !== null) return;
    const gone = once(child, "exit");
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
    await gone;
    clearTimeout(timer);
  }

  /** Resolves when it ended by itself; it is not started again. */
  async finished(graceMs: number): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (child === null || child.exitCode !== null) return;
    const timer = setTimeout(() => child.kill("SIGTERM"), graceMs);
    await once(child, "exit");
    clearTimeout(timer);
  }

  async #restart(reason: string, afterMs: number): Promise<void> {
    await delay(afterMs); // keeps this process alive: while nothing else runs, it is all that does
    if (this.#stopping) return;
    this.#restarts++;
    this.emit("restart", this.name, reason, this.#restarts);
    try {
      this.start();
    } catch (error) {
      this.emit("gaveUp", error); // its log cannot be opened: the run folder is gone, or its disk is full
    }
  }

  /** An address that cannot be had is wrong at the first start; later it is its predecessor's, free in a moment. */
  #isFinal(failure: Failure | null): boolean {
    if (failure === null || failure.retry) return false;
    return failure.forOperator?.code !== "ADDRESS" || this.#restarts === 0;
  }

  /** What the process said to people, unchanged; a crash says only where to read on. */
  #givingUp(reason: string, failure: Failure | null): OperatorError {
    this.#stopping = true;
    const said = failure?.forOperator;
    if (said) return new OperatorError(said.code, said.problem, said.remedy);
    return new OperatorError("PROCESS", `The ${this.name} ended: ${reason}.`, this.#whereLogged);
  }
}

/**
 * glibc, which reads this when a process starts: blocks of 4 MiB and more are mapped, each by itself, and unmapped when they
 * are freed. By default it raises that size to that of whatever was freed last, after which each Pong policy (6 MiB, several
 * copies for a moment) leaves holes between longer-lived blocks: such an actor then needs 18 % more memory.
 */
const actorMemory = { MALLOC_MMAP_THRESHOLD_: String(4 << 20) };

/** Starts a role of this same command line in a process group of its own, so that Ctrl-C reaches only `train`. */
export function forkRole(args: readonly string[], logFile: number | "inherit"): ChildProcess {
  const output = logFile === "inherit" ? 2 : logFile;
  const env = args[0] === "actor" ? { ...actorMemory, ...process.env } : process.env;
  return fork(process.argv[1]!, [...args], { stdio: ["ignore", output, output, "ipc"], detached: true, env });
}
