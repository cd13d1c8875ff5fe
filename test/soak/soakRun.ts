import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { controlToken } from "../../coordinator/controlToken.ts";
import { CoordinatorClient } from "../../shared/coordinatorClient.ts";
import { updateRecords } from "../chaos/runRecord.ts";
import { type Finished, type Running, start } from "../system/command.ts";
import { scrape } from "../system/scrape.ts";
import { processesBelow, processUse, startedAt } from "./processUse.ts";

/** One measured number. `process`: role, for an actor with its pid; "run" for what belongs to none. */
export interface Sample {
  readonly seconds: number;
  readonly run: string;
  readonly process: string;
  readonly quantity: string;
  readonly value: number;
}

export interface SoakSettings {
  readonly name: string;
  readonly folder: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly actors: number;
}

/** Series of /metrics that are sampled, and what they are called in the samples. */
const scraped = {
  nodejs_active_handles_total: "handles",
  nodejs_heap_size_used_bytes: "heap_bytes",
  nodejs_external_memory_bytes: "external_bytes",
  nodejs_eventloop_lag_p99_seconds: "loop_lag_p99_seconds",
  anchorage_learner_leases: "leases",
  anchorage_learner_capacity: "lease_capacity",
  anchorage_learner_reports_waiting: "reports_waiting",
  anchorage_learner_checkpoint_waiting: "checkpoint_waiting",
  anchorage_actor_leases: "leases",
  anchorage_coordinator_watchers: "watchers",
} as const;

const deploy = { actorWorkers: 1, checkpointEvery: 2, checkpointsKept: 3, leaseSeconds: 30 };

/** A run under `anchorage train`, which starts again what is killed, with everything in it measured. */
export class SoakRun {
  readonly name: string;
  readonly runDir: string;
  readonly #running: Running;
  readonly #seen = new Map<number, number>(); // pid -> when it started: pids are given again
  #client: CoordinatorClient | null = null;

  constructor({ name, folder, config, actors }: SoakSettings) {
    this.name = name;
    this.runDir = join(folder, name);
    const [configFile, deployFile] = ["config", "deploy"].map((what) => join(folder, `${name}.${what}.json`));
    writeFileSync(configFile!, JSON.stringify(config));
    writeFileSync(deployFile!, JSON.stringify(deploy));
    const files = ["--config", configFile!, "--deploy", deployFile!, "--run-dir", this.runDir];
    this.#running = start(["train", ...files, "--actors", String(actors)]);
  }

  /** Its processes by role, `train` among them; throws when `train` has ended. Actors in the order of their start. */
  processes(): { readonly pid: number; readonly role: string }[] {
    const { pid, exitCode, signalCode } = this.#running.process;
    if (exitCode !== null || signalCode !== null)
      throw new Error(`${this.name}: train ended, ${exitCode ?? signalCode}`);
    const below = processesBelow(pid!).flatMap(({ pid, command, startedAt }) => {
      const [program, script, argument] = command;
      if (program!.endsWith("nats-server")) return [{ pid, startedAt, role: "nats" }];
      return script?.endsWith("main.js") ? [{ pid, startedAt, role: argument! }] : []; // else the shell that keeps NATS
    });
    for (const { pid, startedAt } of below) this.#seen.set(pid, startedAt);
    return [{ pid: pid!, role: "train" }, ...below.sort((a, b) => a.startedAt - b.startedAt)];
  }

  /** Pids of those of its processes, of all that were ever seen, that are still there. */
  alive(): number[] {
    return [...this.#seen].filter(([pid, started]) => startedAt(pid) === started).map(([pid]) => pid);
  }

  /** Pids of the actors; the first has lived longest. */
  get actors(): number[] {
    return this.processes()
      .filter(({ role }) => role === "actor")
      .map(({ pid }) => pid);
  }

  get updates(): number {
    return updateRecords(this.runDir).at(-1)?.update ?? 0;
  }

  /** Resolves at update `update`. */
  async reached(update: number): Promise<void> {
    while (this.updates < update) {
      this.processes(); // throws when it has ended
      await delay(200);
    }
  }

  async sample(seconds: number): Promise<Sample[]> {
    const samples: Sample[] = [];
    const add = (process: string, quantity: string, value: number): void => {
      samples.push({ seconds, run: this.name, process, quantity, value });
    };
    const ports = await this.#metricsPorts();
    for (const { pid, role } of this.processes()) {
      const use = processUse(pid);
      if (use === null) continue;
      const name = role === "actor" ? `actor ${pid}` : role;
      add(name, "resident_mib", use.residentMiB);
      add(name, "threads", use.threads);
      add(name, "files", use.files);
      const port = ports.get(pid);
      if (port === undefined) continue;
      for (const [quantity, value] of await samplesOf(port)) add(name, quantity, value);
    }
    add("run", "updates", this.updates);
    for (const [part, size] of Object.entries(sizes(this.runDir))) add("run", `${part}_bytes`, size);
    add("run", "checkpoint_files", checkpointFiles(this.runDir));
    return samples;
  }

  /** Ctrl-C; resolves when everything has ended. */
  async stop(): Promise<Finished> {
    this.#client?.close();
    this.#running.process.kill("SIGINT");
    return await this.#running.finished;
  }

  kill(): void {
    this.#client?.close();
    this.#running.process.kill("SIGKILL"); // what it started ends when it is gone
  }

  /** Metrics ports by pid, as the members say; the coordinator's stands in the run folder. */
  async #metricsPorts(): Promise<Map<number, number>> {
    const ports = new Map<number, number>();
    const file = join(this.runDir, "endpoint.json");
    if (!existsSync(file)) return ports;
    const endpoint = JSON.parse(readFileSync(file, "utf8")) as { address: string; metricsPort: number };
    this.#client ??= new CoordinatorClient(endpoint.address, { token: controlToken(this.runDir, null) });
    const coordinator = this.processes().find(({ role }) => role === "coordinator");
    if (coordinator !== undefined) ports.set(coordinator.pid, endpoint.metricsPort);
    const { learner } = JSON.parse(readFileSync(join(this.runDir, "state.json"), "utf8")) as {
      learner: { pid: number; metricsPort: number } | null;
    };
    if (learner !== null) ports.set(learner.pid, learner.metricsPort);
    const { members } = await this.#client.control("STATUS");
    for (const { role, pid, status_json: json } of members)
      if (role === "ACTOR" && json !== "") ports.set(pid, (JSON.parse(json) as { metricsPort: number }).metricsPort);
    return ports;
  }
}

/** An actor that was killed just now answers nothing. */
async function samplesOf(port: number): Promise<[string, number][]> {
  const values = await scrape(port).catch(() => ({}));
  return Object.entries(scraped).flatMap(([name, quantity]) => {
    const value = (values as Record<string, number>)[name];
    return value === undefined ? [] : [[quantity, value] as [string, number]];
  });
}

/** Bytes of each part of a run folder; `temporary`: how many files were left unfinished. */
function sizes(runDir: string): Record<string, number> {
  const parts: Record<string, number> = { temporary_files: 0 };
  for (const entry of readdirSync(runDir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const [first, second] = path.slice(runDir.length + 1).split("/");
    const part = second !== undefined || first === "metrics.jsonl" ? first!.replace(".", "_") : "other";
    parts[part] = (parts[part] ?? 0) + (statSync(path, { throwIfNoEntry: false })?.size ?? 0);
  }
  parts.temporary_files = temporaryFiles(runDir).length;
  return parts;
}

/** Files that a crash, or a writer at this moment, has not finished. */
export function temporaryFiles(runDir: string): string[] {
  const names = readdirSync(runDir, { recursive: true }) as string[];
  return names.filter((name) => /unfinished|\.tmp|\.log\.0$/.test(name));
}

function checkpointFiles(runDir: string): number {
  const folder = join(runDir, "checkpoints");
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".ckpt")).length : 0;
}
