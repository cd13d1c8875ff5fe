import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export interface Launch {
  readonly name: string;
  readonly command: readonly string[]; // the program, with its wrapper in front
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string; // appended to
}

/** How a process ended. `asked`: the test killed or stopped it. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly asked: boolean;
}

export interface Resources {
  readonly rssBytes: number; // VmRSS
  readonly peakRssBytes: number; // VmHWM
  readonly openFiles: number; // descriptors: files, sockets, pipes
}

/** One real process of a fleet: started, killed and started again with the same command. */
export class FleetProcess {
  readonly launch: Launch;
  readonly child: ChildProcess;
  readonly ended: Promise<ProcessEnd>;
  #asked = false;
  #end: ProcessEnd | null = null;

  private constructor(launch: Launch, child: ChildProcess) {
    this.launch = launch;
    this.child = child;
    this.ended = once(child, "exit").then(([code, signal]) => {
      this.#end = { code: code as number | null, signal: signal as NodeJS.Signals | null, asked: this.#asked };
      return this.#end;
    });
  }

  /** Resolves when the program runs. An IPC channel, which a wrapper must pass on, ends our roles with the test. */
  static async start(launch: Launch): Promise<FleetProcess> {
    const log = openSync(launch.logFile, "a");
    try {
      const [program, ...args] = launch.command;
      const env = { ...process.env, ...launch.env };
      const child = spawn(program!, args, { stdio: ["ignore", log, log, "ipc"], env });
      const started = new FleetProcess(launch, child);
      await once(child, "spawn");
      return started;
    } finally {
      closeSync(log);
    }
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** null: it runs. */
  get end(): ProcessEnd | null {
    return this.#end;
  }

  /** Sends a signal; for one that ends the process, resolves when it has ended. */
  async kill(signal: NodeJS.Signals): Promise<ProcessEnd | null> {
    if (this.#end !== null) return this.#end;
    const passing = signal === "SIGSTOP" || signal === "SIGCONT";
    this.#asked ||= !passing;
    this.child.kill(signal); // not process.kill: the pid may have ended a moment ago
    if (passing) return null;
    return await this.ended;
  }

  /** What the role said to its starter: `ready` (coordinator) or `failed`. */
  onMessage(listener: (message: { readonly kind: string; readonly message?: string }) => void): void {
    this.child.on("message", listener as (message: unknown) => void);
  }

  resources(): Resources {
    return resourcesOf(this.pid);
  }
}

/** Memory and descriptors of a living process. */
export function resourcesOf(pid: number): Resources {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kilobytes = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  return {
    rssBytes: kilobytes("VmRSS") * 1024,
    peakRssBytes: kilobytes("VmHWM") * 1024,
    openFiles: readdirSync(`/proc/${pid}/fd`).length,
  };
}

export interface LivingProcess {
  readonly pid: number;
  readonly commandLine: string;
}

/** Living processes, whoever started them, whose environment holds NAME=value; a zombie has none. */
export function processesWith(name: string, value: string): LivingProcess[] {
  const wanted = `${name}=${value}`;
  const found: LivingProcess[] = [];
  for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      if (!readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(wanted)) continue;
      const commandLine = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      if (commandLine !== "") found.push({ pid: Number(pid), commandLine });
    } catch {
      // it ended while we looked, or is another user's: not ours
    }
  }
  return found;
}

/** SIGKILL to a process that may have ended a moment ago. */
export function killIfAlive(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // ESRCH: gone already
  }
}

/** Resolves once something accepts connections on `address`; throws when the process that should has ended. */
export async function listening(address: string, started: FleetProcess): Promise<void> {
  const at = address.lastIndexOf(":");
  while (started.end === null) {
    const accepted = await new Promise<boolean>((resolve) => {
      const socket = connect(Number(address.slice(at + 1)), address.slice(0, at));
      socket.once("connect", () => socket.end(() => resolve(true)));
      socket.once("error", () => resolve(false)); // not listening yet: that is the answer
    });
    if (accepted) return;
    await delay(20);
  }
  throw new Error(`${started.launch.name} ended at its start: ${JSON.stringify(started.end)}`);
}
