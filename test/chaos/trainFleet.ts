import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CoordinatorClient } from "../../shared/coordinatorClient.ts";
import { type Finished, type Running, start } from "../system/command.ts";
import { scrape } from "../system/scrape.ts";
import { checkedOutcome } from "./fleetChecks.ts";
import { type FleetOptions, fleetEnvironment, fleetToken, fleetVariable, prepareFolder } from "./fleetLaunch.ts";
import { killIfAlive, type LivingProcess, processesWith } from "./fleetProcess.ts";
import { type RecoveryOptions, RunProgress } from "./runProgress.ts";
import type { RunOutcome, UpdateRecord } from "./runRecord.ts";

/**
 * A run under `anchorage train`, which keeps its own processes alive: to kill all of it, or a part of it behind its back.
 *
 *   const fleet = new TrainFleet({ folder, config, actors: 2 });
 *   fleet.start(); await fleet.update(5);
 *   await fleet.killAll();                        // SIGKILL to train and everything it started
 *   fleet.start("resume");
 *   await fleet.recovered("train SIGKILL, all processes");
 *   const outcome = await fleet.finished();
 *   await fleet.dispose();
 */
export class TrainFleet {
  readonly options: FleetOptions;
  readonly mark = randomUUID();
  readonly #progress: RunProgress;
  #running: Running | null = null;

  constructor(options: FleetOptions) {
    this.options = options;
    this.#progress = new RunProgress({
      runDir: this.runDir,
      label: options.label ?? "",
      checkAlive: () => this.#checkAlive(),
      said: () => "",
    });
    prepareFolder(options, "127.0.0.1");
  }

  get runDir(): string {
    return this.options.runDir ?? join(this.options.folder, "run");
  }

  /** Starts `anchorage train`, with --resume if the run is to go on. */
  start(how: "new" | "resume" = "new"): Running {
    const { folder, actors = 2 } = this.options;
    const args = ["train", "--json", "--run-dir", this.runDir, "--actors", String(actors)];
    args.push("--deploy", join(folder, "deploy.json"));
    args.push(...(how === "new" ? ["--config", join(folder, "config.json")] : ["--resume"]));
    this.#running = start(args, { env: fleetEnvironment(this.options, this.mark) });
    return this.#running;
  }

  /** Every living process of this run; `train` itself, its roles, and NATS below its shell. */
  processes(): LivingProcess[] {
    return processesWith(fleetVariable, this.mark);
  }

  /** The processes of one role: "train", "coordinator", "learner", "actor", or "nats-server". */
  pids(role: string): number[] {
    const pattern = role === "nats-server" ? /nats-server/ : new RegExp(`cli/main\\.js ${role}\\b`);
    return this.processes()
      .filter(({ commandLine }) => pattern.test(commandLine) && !commandLine.startsWith("sh "))
      .map(({ pid }) => pid);
  }

  /** SIGKILL to everything at once, as a lost machine; resolves when nothing lives. */
  async killAll(): Promise<void> {
    for (let living = this.processes(); living.length > 0; living = this.processes()) {
      for (const { pid } of living) killIfAlive(pid);
      await delay(20);
    }
    await this.#running?.finished;
  }

  records(): UpdateRecord[] {
    return this.#progress.records();
  }

  /** Resolves when update `update` is recorded; throws when `train` ends before. */
  update(update: number): Promise<UpdateRecord> {
    return this.#progress.record((record) => record.update >= update);
  }

  /** As Fleet.recovered. */
  recovered(kind: string, options?: RecoveryOptions): Promise<number | null> {
    return this.#progress.recovered(kind, options);
  }

  async control(action: "PAUSE" | "RESUME"): Promise<void> {
    await this.#asked((client) => client.control(action));
  }

  /** The metrics of the learner and of every actor that is registered. */
  async memberMetrics(): Promise<{ learner: Record<string, number>; actors: Record<string, number>[] }> {
    const { members } = await this.#asked((client) => client.control("STATUS"));
    const of = (role: string) =>
      Promise.all(
        members
          .filter((member) => member.role === role && member.status_json !== "")
          .map(({ status_json }) => scrape((JSON.parse(status_json) as { metricsPort: number }).metricsPort)),
      );
    return { learner: (await of("LEARNER"))[0] ?? {}, actors: await of("ACTOR") };
  }

  /** The coordinator is where it says so in the run folder; each of its processes chooses a port of its own. */
  async #asked<T>(ask: (client: CoordinatorClient) => Promise<T>): Promise<T> {
    const { address } = JSON.parse(readFileSync(join(this.runDir, "endpoint.json"), "utf8")) as { address: string };
    const client = new CoordinatorClient(address, { token: fleetToken });
    try {
      return await ask(client);
    } finally {
      client.close();
    }
  }

  async #checkAlive(): Promise<void> {
    const { exitCode, signalCode } = this.#running!.process;
    if (exitCode === null && signalCode === null) return;
    const { stderr } = await this.#running!.finished;
    if (exitCode !== 0) throw new Error(`train ended with ${exitCode ?? signalCode}: ${stderr.slice(-2000)}`);
  }

  /** `train`'s own end. */
  get ended(): Promise<Finished> {
    return this.#running!.finished;
  }

  /** Waits for the end, which must be a good one, and checks what must hold of every run, see fleetChecks.ts. */
  async finished(): Promise<RunOutcome> {
    const { status, stderr } = await this.ended;
    if (status !== 0) throw new Error(`train ended with ${status}: ${stderr.slice(-3000)}`);
    return checkedOutcome(this.runDir, this.options.config, this.mark);
  }

  async dispose(): Promise<void> {
    await this.killAll();
  }
}
