import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { writeAtomically } from "../../coordinator/atomicFile.ts";
import type { Status__Output } from "../../proto/gen/anchorage/v1/Status.ts";
import { OperatorError } from "../../shared/errors.ts";
import { splitAddress } from "../../shared/grpcServer.ts";
import { type Lifecycle, processLifecycle } from "../../shared/lifecycle.ts";
import { logger } from "../../shared/log.ts";
import { type ControlFlags, reachedStatus } from "../control.ts";
import { freePort } from "../natsServer.ts";
import {
  checkPrometheus,
  type FiringAlert,
  firingAlerts,
  startPrometheus,
  targetsName,
  writePrometheusSettings,
} from "./prometheusServer.ts";
import { type ScrapeTargets, scrapeTargets, targetsFile } from "./scrapeTargets.ts";

export interface ObserveFlags extends ControlFlags {
  readonly port: number;
  readonly data?: string;
  readonly prometheus: string;
  readonly targetsOnly?: boolean;
}

const lookEveryMs = 5_000; // as often as Prometheus scrapes

/**
 * `anchorage observe`: a Prometheus beside a run, which scrapes all of its processes, new actors among them, and whose
 * firing alerts are printed; until it is told to stop. With `targetsOnly` only the list of processes is kept, for a
 * Prometheus of one's own. Throws NETWORK where nothing of the run can be reached and nothing of it was recorded.
 */
export async function observe(flags: ObserveFlags): Promise<number> {
  const lifecycle = processLifecycle(logger("observe"));
  const folder = resolve(flags.data ?? (flags.runDir === undefined ? "prometheus" : join(flags.runDir, "prometheus")));
  const status = await reachedStatus(flags);
  if (status === null && !existsSync(join(folder, "tsdb"))) throw outOfReach(flags);
  if (!flags.targetsOnly) checkPrometheus(flags.prometheus);
  writePrometheusSettings(folder);
  const told = new Told(flags.json ?? false);
  const watched = new WatchedRun(flags, folder, told);
  await watched.write(status);
  try {
    const port = flags.targetsOnly ? null : await serve(flags, folder, lifecycle, told);
    if (port === null) told.targetsOnly(join(folder, targetsName));
    while (!lifecycle.stopping.aborted) {
      await delay(lookEveryMs, undefined, { signal: lifecycle.stopping }).catch(() => undefined); // stopping: the loop ends
      if (lifecycle.stopping.aborted) break;
      await watched.write(await reachedStatus(flags));
      if (port !== null) told.alerts(await firingAlerts(port));
    }
    return lifecycle.reason?.kind === "asked" ? 1 : 0;
  } finally {
    await lifecycle.close();
  }
}

/** Gives its port. */
async function serve(flags: ObserveFlags, folder: string, lifecycle: Lifecycle, told: Told): Promise<number> {
  const port = flags.port === 0 ? await freePort() : flags.port;
  const server = await startPrometheus({ program: flags.prometheus, folder, port });
  const ended = new Promise<void>((done) => server.once("exit", () => done()));
  lifecycle.onClose("Prometheus", () => {
    server.kill("SIGTERM");
    return ended;
  });
  void ended.then(() => lifecycle.stop({ kind: "asked", detail: `Prometheus ended, see ${folder}/prometheus.log` }));
  told.serving(port, folder);
  return port;
}

function outOfReach({ runDir, coordinator }: ObserveFlags): OperatorError {
  const problem = `The coordinator of ${runDir ?? coordinator} cannot be reached, and nothing of the run was recorded here.`;
  return new OperatorError("NETWORK", problem, "Start it beside a run that is under way.");
}

/** Keeps targets.json what the run's members are. */
class WatchedRun {
  readonly #flags: ObserveFlags;
  readonly #folder: string;
  readonly #told: Told;
  #written = "";

  constructor(flags: ObserveFlags, folder: string, told: Told) {
    this.#flags = flags;
    this.#folder = folder;
    this.#told = told;
  }

  /** @param status null: nobody answers, so that the last known processes stay until somebody does */
  async write(status: Status__Output | null): Promise<void> {
    if (status === null) return this.#told.outOfReach();
    const { coordinator } = this.#flags;
    const host = coordinator === undefined ? "127.0.0.1" : splitAddress(coordinator).host;
    const targets = scrapeTargets(status, { coordinator: host, hostname: hostname() });
    this.#told.targets(targets);
    const text = targetsFile(targets);
    if (text === this.#written) return;
    await writeAtomically(join(this.#folder, targetsName), text);
    this.#written = text;
  }
}

/** What is said on stdout, each thing once: lines for people, or with --json events. */
class Told {
  readonly #json: boolean;
  #targets = "";
  #reached = true;
  readonly #unreachable = new Set<string>();
  #firing = new Map<string, FiringAlert>();

  constructor(json: boolean) {
    this.#json = json;
  }

  serving(port: number, folder: string): void {
    const url = `http://127.0.0.1:${port}`;
    this.#say(
      { event: "serving", url, folder },
      `Prometheus: ${url}, alerts: ${url}/alerts, its data in ${folder}. Ctrl-C ends it.`,
    );
  }

  targetsOnly(file: string): void {
    this.#say({ event: "targets_file", file }, `For file_sd_configs of your Prometheus: ${file}. Ctrl-C ends it.`);
  }

  targets({ coordinator, learner, actor, unreachable }: ScrapeTargets): void {
    this.#reached = true;
    const text = `Scraping ${coordinator.length} coordinator, ${learner.length} learner, ${actor.length} actors.`;
    const all = JSON.stringify([coordinator, learner, actor]);
    if (all !== this.#targets) this.#say({ event: "targets", coordinator, learner, actor }, text);
    this.#targets = all;
    for (const why of unreachable.filter((one) => !this.#unreachable.has(one))) {
      this.#unreachable.add(why);
      this.#say({ event: "unreachable", why }, `Not scraped: ${why}. Set metricsHost to 0.0.0.0 there.`);
    }
  }

  outOfReach(): void {
    if (this.#reached)
      this.#say(
        { event: "out_of_reach" },
        "The run's coordinator does not answer. What was recorded stays to be looked at.",
      );
    this.#reached = false;
  }

  alerts(firing: Map<string, FiringAlert>): void {
    for (const [key, alert] of firing)
      if (!this.#firing.has(key)) this.#say({ event: "alert", state: "firing", ...alert }, describe(alert));
    for (const [key, alert] of this.#firing)
      if (!firing.has(key)) this.#say({ event: "alert", state: "resolved", ...alert }, `Over: ${alert.name}.`);
    this.#firing = firing;
  }

  #say(event: object, text: string): void {
    process.stdout.write(this.#json ? `${JSON.stringify(event)}\n` : `${text}\n`);
  }
}

const describe = ({ name, severity, summary, description, runbook }: FiringAlert): string =>
  `ALERT ${name} (${severity}): ${summary}. ${description} See ${runbook}`;
