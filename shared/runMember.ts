import { EventEmitter } from "node:events";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { RegisterReply__Output } from "../proto/gen/anchorage/v1/RegisterReply.ts";
import type { RunState__Output } from "../proto/gen/anchorage/v1/RunState.ts";
import { buildId } from "./build.ts";
import type { CallSettings, CoordinatorClient } from "./coordinatorClient.ts";
import { messageOf, OperatorError } from "./errors.ts";
import type { Fingerprint } from "./fingerprint.ts";
import type { Logger } from "./log.ts";
import { type StartPatience, starting } from "./servedRun.ts";

const searchingSeconds = 0.3;

export interface MemberSettings {
  readonly role: "ACTOR" | "LEARNER";
  readonly fingerprint: Fingerprint;
  /** LEARNER: host:port where actors reach it; ACTOR: "". */
  readonly learnerAddress: string;
  readonly metricsPort: number;
  readonly heartbeatSeconds: number;
  /** What the member says of itself with each heartbeat, as a JSON object. */
  readonly status: () => object;
  readonly log: Logger;
}

interface Events {
  /** What the coordinator wants of its members changed. */
  state: [state: RunState__Output];
  /** Another learner, or the same at another address. */
  learner: [address: string, generation: number];
  /**
   * This process does not belong to the run any more: another learner took it over, or the coordinator now serves
   * another run. It must exit without storing anything. Emitted once; the heartbeats have ended.
   */
  lost: [error: OperatorError];
  /** Known again after the coordinator forgot it (it was restarted, or the member was silent for too long). */
  registered: [reply: RegisterReply__Output];
}

/**
 * This process's membership of the run: registers, then heartbeats until stop(). An unreachable coordinator is logged
 * and tried again for ever: training goes on without it. A coordinator that was restarted still knows the learner (and
 * its generation) from disk; actors register again.
 */
export class RunMember extends EventEmitter<Events> {
  readonly #client: CoordinatorClient;
  readonly #settings: MemberSettings;
  readonly #ended = new AbortController();
  #reply: RegisterReply__Output;
  #state: RunState__Output;
  #learner: { address: string; generation: number };
  #loop: Promise<void> | null = null;
  #lost = false;

  private constructor(client: CoordinatorClient, settings: MemberSettings, reply: RegisterReply__Output) {
    super();
    this.#client = client;
    this.#settings = settings;
    this.#reply = reply;
    this.#state = reply.run!.state;
    this.#learner = { address: reply.run!.learner_address, generation: reply.generation };
  }

  /** Registers, waiting for the coordinator as starting() does. The heartbeats begin with start(). */
  static async join(
    client: CoordinatorClient,
    settings: MemberSettings,
    patience: StartPatience,
    signal: AbortSignal,
  ): Promise<RunMember> {
    const register = (call: CallSettings) => registerAs(client, settings, call);
    return new RunMember(client, settings, await starting(client.address, patience, signal, register));
  }

  /** The newest registration: member id, run, generation. */
  get registration(): RegisterReply__Output {
    return this.#reply;
  }
  get memberId(): string {
    return this.#reply.member_id;
  }
  get state(): RunState__Output {
    return this.#state;
  }
  /** LEARNER: its own generation; ACTOR: the current one. */
  get generation(): number {
    return this.#settings.role === "LEARNER" ? this.#reply.generation : this.#learner.generation;
  }
  /** Empty: no learner yet. */
  get learnerAddress(): string {
    return this.#learner.address;
  }

  /** Begins to heartbeat. Attach listeners first. */
  start(): this {
    this.#loop ??= this.#heartbeats();
    return this;
  }

  /** Ends the heartbeats and, unless it was lost, says goodbye, so that nobody waits for this member to expire. */
  async stop(): Promise<void> {
    const lost = this.#lost;
    this.#ended.abort();
    await this.#loop;
    if (lost) return;
    const goodbye = { ...this.#request(), leaving: true };
    try {
      await this.#client.heartbeat(goodbye, { patienceMs: 0, signal: AbortSignal.timeout(2_000) });
    } catch (error) {
      this.#settings.log.debug(`no goodbye to the coordinator: ${messageOf(error)}`);
    }
  }

  async #heartbeats(): Promise<void> {
    const { signal } = this.#ended;
    let silent = false;
    while (!signal.aborted) {
      try {
        await this.#beat(signal);
        if (silent) this.#settings.log.info("coordinator reached again");
        silent = false;
      } catch (error) {
        if (signal.aborted) return;
        if (!silent) this.#settings.log.warn(`going on without the coordinator: ${messageOf(error)}`);
        silent = true;
      }
      const { heartbeatSeconds } = this.#settings;
      // Until there is a learner the answer is what an actor waits for.
      const seconds = this.learnerAddress === "" ? Math.min(searchingSeconds, heartbeatSeconds) : heartbeatSeconds;
      // Jitter of 10 %: fifty actors that were started together do not beat together.
      const waitMs = seconds * 1000 * (0.9 + 0.2 * Math.random());
      await sleep(waitMs, undefined, { signal }).catch(() => undefined); // aborted: the loop's condition ends it
    }
  }

  async #beat(signal: AbortSignal): Promise<void> {
    const reply = await this.#client.heartbeat(this.#request(), { signal, patienceMs: 0 });
    if (this.#settings.role === "LEARNER" && reply.generation > this.generation)
      return this.#lose(`Learner generation ${reply.generation} took the run over from generation ${this.generation}.`);
    if (!reply.known) return await this.#registerAgain(signal);
    this.#learn(reply.state, reply.learner_address, reply.generation);
  }

  #request() {
    const { role, status } = this.#settings;
    return { member_id: this.memberId, role, generation: this.generation, status_json: JSON.stringify(status()) };
  }

  async #registerAgain(signal: AbortSignal): Promise<void> {
    this.#settings.log.warn("the coordinator does not know this member any more: registering again");
    const reply = await registerAs(this.#client, this.#settings, {
      signal,
      patienceMs: Number.POSITIVE_INFINITY,
    });
    const before = this.#reply.run!.run_id;
    if (reply.run!.run_id !== before)
      return this.#lose(
        `${this.#client.address} now serves run ${reply.run!.run_id}, this process works on ${before}.`,
      );
    this.#reply = reply;
    this.emit("registered", reply);
    this.#learn(reply.run!.state, reply.run!.learner_address, reply.generation);
  }

  #learn(state: RunState__Output, address: string, generation: number): void {
    const moved = address !== this.#learner.address || generation !== this.#learner.generation;
    const changed = state !== this.#state;
    this.#state = state;
    this.#learner = { address, generation };
    if (moved) this.emit("learner", address, generation);
    if (changed) this.emit("state", state);
  }

  #lose(problem: string): void {
    this.#lost = true;
    this.#ended.abort();
    this.emit("lost", new OperatorError("MISMATCH", problem, "This process ends; start it again to join that one."));
  }
}

function registerAs(
  client: CoordinatorClient,
  settings: MemberSettings,
  call: CallSettings,
): Promise<RegisterReply__Output> {
  const request = {
    role: settings.role,
    host: hostname(),
    pid: process.pid,
    build: buildId(),
    fingerprint_json: JSON.stringify(settings.fingerprint),
    learner_address: settings.learnerAddress,
    metrics_port: settings.metricsPort,
  };
  return client.register(request, call);
}
