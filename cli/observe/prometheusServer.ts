import { type ChildProcess, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { messageOf, OperatorError } from "../../shared/errors.ts";
import { projectRoot } from "../../shared/nativeParts.ts";
import { startKept } from "../keptProcess.ts";
import { bindable } from "../natsServer.ts";
import { withLogInRun } from "../openInRun.ts";

export interface PrometheusOptions {
  readonly program: string;
  readonly folder: string; // its settings, data and log
  readonly port: number;
}

const rulesFile = join(projectRoot, "deploy", "observability", "rules.yml");
export const targetsName = "targets.json";
const readyMs = 60_000; // a folder of many days takes a while to read

/** Throws SETUP where there is no such program. */
export function checkPrometheus(program: string): void {
  const { error, status } = spawnSync(program, ["--version"]);
  if (error === undefined && status === 0) return;
  throw new OperatorError(
    "SETUP",
    `The program ${program} cannot be run: ${error === undefined ? `status ${status}` : messageOf(error)}.`,
    "Install Prometheus (apt-get install prometheus), give its path with --prometheus, or use --targets-only with one that runs elsewhere.",
  );
}

/** Writes the settings: every process in targets.json, every 5 s, with the project's rules. Throws STORAGE. */
export function writePrometheusSettings(folder: string): void {
  const settings = {
    global: { scrape_interval: "5s", evaluation_interval: "5s" },
    rule_files: [rulesFile],
    scrape_configs: [
      { job_name: "anchorage", file_sd_configs: [{ files: [join(folder, targetsName)], refresh_interval: "5s" }] },
    ],
  };
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "prometheus.yml"), `${JSON.stringify(settings, null, 2)}\n`); // JSON is YAML
  } catch (cause) {
    const problem = `${folder} cannot be written: ${messageOf(cause)}.`;
    throw new OperatorError("STORAGE", problem, "Give another folder with --data.", { cause });
  }
}

/** Starts it on the loopback interface; resolves once it answers. Throws ADDRESS, or PROCESS with its last words. */
export async function startPrometheus({ program, folder, port }: PrometheusOptions): Promise<ChildProcess> {
  if (!(await bindable(port)))
    throw new OperatorError(
      "ADDRESS",
      `Port ${port} of 127.0.0.1 is in use.`,
      "Give another one with --port (0: any).",
    );
  const command = [
    program,
    `--config.file=${join(folder, "prometheus.yml")}`,
    `--storage.tsdb.path=${join(folder, "tsdb")}`,
    "--storage.tsdb.retention.time=365d",
    `--web.listen-address=127.0.0.1:${port}`,
    "--log.level=warn",
  ];
  const server = withLogInRun(folder, "", "prometheus.log", (log) => startKept(command, log));
  const ended = once(server, "exit").then(() => "ended" as const);
  for (const deadline = performance.now() + readyMs; performance.now() < deadline; ) {
    if (await answers(port)) return server;
    if ((await Promise.race([ended, delay(100)])) === "ended") break;
  }
  server.kill("SIGTERM");
  const last = readFileSync(join(folder, "prometheus.log"), "utf8").trimEnd().split("\n").at(-1);
  throw new OperatorError(
    "PROCESS",
    `Prometheus does not serve: ${last}.`,
    `Its log: ${join(folder, "prometheus.log")}`,
  );
}

async function answers(port: number): Promise<boolean> {
  const ready = `http://127.0.0.1:${port}/-/ready`;
  return await fetch(ready).then(
    ({ ok }) => ok,
    () => false, // not listening yet: that is the answer
  );
}

/** An alert of the rules that fires now. */
export interface FiringAlert {
  readonly name: string;
  readonly severity: string;
  readonly summary: string;
  readonly description: string;
  readonly runbook: string;
}

interface AlertsAnswer {
  readonly data: {
    readonly alerts: readonly {
      readonly state: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly annotations: Readonly<Record<string, string>>;
    }[];
  };
}

/** By its labels. */
export async function firingAlerts(port: number): Promise<Map<string, FiringAlert>> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/alerts`);
  const { alerts } = ((await answer.json()) as AlertsAnswer).data;
  const firing = alerts.filter(({ state }) => state === "firing");
  return new Map(
    firing.map(({ labels, annotations }) => {
      const { summary = "", description = "", runbook_url: runbook = "" } = annotations;
      const { alertname: name = "", severity = "" } = labels;
      return [JSON.stringify(labels), { name, severity, summary, description, runbook }];
    }),
  );
}
