import { randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { bindable, freePort } from "../../cli/natsServer.ts";
import type { Status__Output } from "../../proto/gen/anchorage/v1/Status.ts";
import { CoordinatorClient } from "../../shared/coordinatorClient.ts";
import { Transport } from "../../shared/transport.ts";
import { scrape } from "../system/scrape.ts";
import { checkedOutcome } from "./fleetChecks.ts";
import {
  type Addresses,
  type FleetOptions,
  fleetAddresses,
  fleetToken,
  fleetVariable,
  launchOf,
  type ProcessName,
  prepareFolder,
} from "./fleetLaunch.ts";
import { FleetLogs } from "./fleetLogs.ts";
import {
  FleetProcess,
  killIfAlive,
  listening,
  type ProcessEnd,
  processesWith,
  type Resources,
} from "./fleetProcess.ts";
import { type RecoveryOptions, RunProgress } from "./runProgress.ts";
import type { RunOutcome, UpdateRecord } from "./runRecord.ts";

/**
 * A run as real, separate processes from dist/ (npm run build first): a NATS server, a coordinator, a learner and actors,
 * each with its pid, each restartable on the same address and folder. How tests use it:
 *
 *   const fleet = await Fleet.start({ folder, config, actors: 2 });   // all processes up; `deploy`, `wrap`, `addresses`, `env`
 *   await fleet.update(5);                                            // update 5 is in metrics.jsonl
 *   await fleet.kill("learner");                                      // SIGKILL; or "SIGSTOP", "SIGCONT", "SIGTERM"
 *   await fleet.restart("learner");                                   // same command, same addresses
 *   await fleet.recovered("learner SIGKILL");                         // the next update; its delay goes into the fault table
 *   await checkLeases(fleet);                                         // of pausedFleet.ts: no lease is left over
 *   const outcome = await fleet.finished();                           // waits for the end and checks all promises
 *   await fleet.dispose();                                            // in afterEach, whatever happened
 *
 * A process that ends unasked is an error of fleet.finished(), with the tail of its log, unless it was restarted by
 * keepAlive(). Faults between processes: give `addresses` (a proxy's), or `wrap` (network namespaces, faketime, prlimit).
 * The whole of a run under `anchorage train` is in trainFleet.ts; seeds and the fault table in chaosReport.ts.
 */
export class Fleet {
  readonly options: FleetOptions;
  readonly addresses: Addresses;
  readonly logs: FleetLogs;
  /** Value of ANCHORAGE_CHAOS_FLEET in every process of this fleet. */
  readonly mark = randomUUID();
  readonly #processes = new Map<ProcessName, FleetProcess>();
  readonly #metricsPorts = new Map<ProcessName, number>();
  readonly #ended: { name: ProcessName; end: ProcessEnd }[] = [];
  readonly #changed = new EventEmitter<{ ended: [ProcessName] }>();
  readonly #progress: RunProgress;
  readonly #said = (): string => this.logs.tails(this.#processes.keys());
  readonly #client: CoordinatorClient;
  #actorsMade = 0;
  #disposed = false;

  private constructor(options: FleetOptions, addresses: Addresses) {
    this.options = options;
    this.addresses = addresses;
    this.logs = new FleetLogs(options.folder);
    this.#progress = new RunProgress({
      runDir: this.runDir,
      label: options.label ?? "",
      checkAlive: () => this.#checkAlive(),
      said: this.#said,
    });
    const transport = Transport.of({ tls: null, insecure: true }, "operator");
    this.#client = new CoordinatorClient(addresses.control, { transport, token: fleetToken });
    process.on("exit", this.#killAll);
  }

  /** Prepares folder and addresses; nothing runs yet. */
  static async prepare(options: FleetOptions): Promise<Fleet> {
    const addresses = await fleetAddresses(options.addresses);
    prepareFolder(options, addresses.metricsHost);
    return new Fleet(options, addresses);
  }

  /** NATS, coordinator, learner and `actors` actors; resolves when all programs run, not when they are connected. */
  static async start(options: FleetOptions): Promise<Fleet> {
    const fleet = await Fleet.prepare(options);
    try {
      await fleet.launch("nats");
      await fleet.launch("coordinator");
      if (options.paused) await fleet.control("PAUSE");
      await fleet.launch("learner");
      for (let i = 0; i < (options.actors ?? 2); i++) await fleet.addActor();
      return fleet;
    } catch (error) {
      await fleet.dispose();
      throw error;
    }
  }

  get runDir(): string {
    return this.options.runDir ?? join(this.options.folder, "run");
  }

  /** Names of the processes that live, in the order of their making. */
  get names(): ProcessName[] {
    return [...this.#processes].filter(([, { end }]) => end === null).map(([name]) => name);
  }

  get actors(): ProcessName[] {
    return this.names.filter((name) => name.startsWith("actor"));
  }

  /** The newest process of that name; it may have ended. */
  process(name: ProcessName): FleetProcess {
    const found = this.#processes.get(name);
    if (found === undefined) throw new Error(`there is no ${name} in this fleet`);
    return found;
  }

  /** Starts a process that does not run. NATS and the coordinator: resolves once they listen. */
  async launch(name: ProcessName): Promise<FleetProcess> {
    if (this.#processes.get(name)?.end === null) throw new Error(`${name} runs already`);
    const before = this.#metricsPorts.get(name);
    const port = before !== undefined && (await bindable(before)) ? before : await freePort(); // taken while it was down?
    this.#metricsPorts.set(name, port);
    const started = await FleetProcess.start(launchOf(name, this.options, this.addresses, port, this.mark));
    this.#processes.set(name, started);
    void started.ended.then((end) => {
      if (!end.asked) this.#ended.push({ name, end });
      this.#changed.emit("ended", name);
    });
    if (name === "coordinator") await this.#coordinatorAnswers(started);
    if (name === "nats" && this.options.wrap?.(name) === undefined) await listening(this.addresses.natsListen, started);
    return started;
  }

  /** Kills it first if it still runs. */
  async restart(name: ProcessName): Promise<FleetProcess> {
    await this.process(name).kill("SIGKILL");
    return await this.launch(name);
  }

  async addActor(): Promise<ProcessName> {
    const name: ProcessName = `actor-${++this.#actorsMade}`;
    await this.launch(name);
    return name;
  }

  /** Asks it to drain, as a scale-down does; resolves when it has ended, which must be in good order. */
  async removeActor(name: ProcessName): Promise<void> {
    const end = await this.process(name).kill("SIGTERM");
    if (end?.code !== 0) throw new Error(`${name} drained with ${JSON.stringify(end)}: ${this.logs.tail(name)}`);
  }

  /** Sends a signal; where that ends the process, resolves when it has ended. */
  async kill(name: ProcessName, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    await this.process(name).kill(signal);
  }

  /** From now on this process is started again whenever it ends by itself, as a supervisor would. */
  keepAlive(name: ProcessName): void {
    this.#changed.on("ended", (ended) => {
      if (ended !== name || this.#disposed || this.process(name).end?.code === 0) return;
      this.#ended.splice(0, this.#ended.length, ...this.#ended.filter((other) => other.name !== name));
      this.launch(name).catch((error: unknown) => console.error(`${name} could not be restarted:`, error));
    });
  }

  /** Updates that the coordinator has recorded so far, each once. */
  records(): UpdateRecord[] {
    return this.#progress.records();
  }

  /** The record of the first update that is `wanted`; throws when a process ends unasked, time is up or the run is over. */
  record(wanted: (record: UpdateRecord) => boolean, timeoutMs?: number): Promise<UpdateRecord> {
    return this.#progress.record(wanted, timeoutMs);
  }

  /** Resolves when update `update` is recorded. */
  update(update: number, timeoutMs?: number): Promise<UpdateRecord> {
    return this.record((record) => record.update >= update, timeoutMs);
  }

  /**
   * Call it at the moment when a fault has ended (the process was killed or started again, the link mended): resolves when
   * the next update is recorded, with the seconds since then, and puts the fault into the table. Throws where the run was
   * over, since it then survived nothing; with `whileEnding`, for faults at the end of a run, that counts, and gives null.
   */
  recovered(kind: string, options?: RecoveryOptions): Promise<number | null> {
    return this.#progress.recovered(kind, options);
  }

  /** The coordinator's view, with the learner's and actors' own words parsed; waits for the coordinator up to 30 s. */
  async status(): Promise<Status__Output & { learner: Record<string, unknown> | null }> {
    const status = await this.#client.control("STATUS");
    const learner = status.members.find(({ role }) => role === "LEARNER");
    return { ...status, learner: learner?.status_json ? JSON.parse(learner.status_json) : null };
  }

  /** Pause, resume or stop the run. */
  async control(action: "PAUSE" | "RESUME" | "STOP"): Promise<void> {
    await this.#client.control(action);
  }

  /** A process's Prometheus metrics by `name` or `name{labels}`, once it serves them; throws when it has ended. */
  async metrics(name: ProcessName): Promise<Record<string, number>> {
    const { metricsHost } = this.addresses;
    const port = this.#metricsPorts.get(name)!;
    await listening(`${metricsHost}:${port}`, this.process(name));
    return await scrape(port, metricsHost);
  }

  /** The metrics of the learner and of every actor. */
  async memberMetrics(): Promise<{ learner: Record<string, number>; actors: Record<string, number>[] }> {
    const actors = Promise.all(this.actors.map((name) => this.metrics(name)));
    return { learner: await this.metrics("learner"), actors: await actors };
  }

  /** Memory and descriptors of every living process. */
  resources(): Record<string, Resources> {
    return Object.fromEntries(this.names.map((name) => [name, this.process(name).resources()]));
  }

  /**
   * Waits until the run is finished and every process has ended by itself (NATS is then stopped), checks what must hold
   * of every run, see fleetChecks.ts, and gives what it came to.
   */
  async finished(timeoutMs = 300_000): Promise<RunOutcome> {
    const deadline = performance.now() + timeoutMs;
    const working = (): ProcessName[] => this.names.filter((name) => name !== "nats");
    while (working().length > 0) {
      this.#checkAlive();
      await this.#endLatecomers();
      const left = deadline - performance.now();
      if (left < 0)
        throw new Error(
          `${working().join(", ")} did not end in ${timeoutMs / 1000} s; the newest update is ${this.#progress.newest}. ${this.#said()}`,
        );
      await Promise.race([this.process(working()[0]!).ended, delay(Math.min(left + 1, 500))]);
    }
    await this.process("nats").kill("SIGTERM");
    this.#checkAlive();
    return checkedOutcome(this.runDir, this.options.config, this.mark);
  }

  /** Ends everything that was started, at once. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    process.off("exit", this.#killAll);
    this.#client.close();
    await Promise.all([...this.#processes.values()].map((one) => one.kill("SIGKILL")));
    this.#killAll();
  }

  /** Who was only starting when the run ended and its coordinator went waits five minutes for that one: ask it to end. */
  async #endLatecomers(): Promise<void> {
    if (this.process("coordinator").end === null) return;
    for (const name of this.names.filter((other) => other !== "nats"))
      if (!this.logs.registered(this.process(name).pid)) await this.removeActor(name);
  }

  #checkAlive(): void {
    const bad = this.#ended.filter(({ end }) => end.code !== 0);
    if (bad.length === 0) return;
    const said = bad.map(
      ({ name, end }) => `${name} ended by itself (${end.signal ?? end.code}): ${this.logs.tail(name)}`,
    );
    throw new Error(said.join("\n"));
  }

  async #coordinatorAnswers(started: FleetProcess): Promise<void> {
    const died = started.ended.then(({ code }) => {
      if (code === 0) return; // the run was over, or is since a moment ago
      throw new Error(`the coordinator ended at its start: ${this.logs.tail("coordinator")}`);
    });
    died.catch(() => undefined); // raced below; later its end is fleet.finished()'s business
    await Promise.race([this.#client.getRun({ patienceMs: 180_000 }), died]);
  }

  readonly #killAll = (): void => {
    for (const { pid } of processesWith(fleetVariable, this.mark)) killIfAlive(pid);
  };
}
