import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../cli/natsServer.ts";
import { nativeParts, projectRoot } from "../../shared/nativeParts.ts";
import type { Launch } from "./fleetProcess.ts";

/** `actor-1`, `actor-2`, ... in the order of their making. */
export type ProcessName = "nats" | "coordinator" | "learner" | `actor-${number}`;

/** Where each process listens, and where the others reach it: a proxy or another network may stand between. */
export interface Addresses {
  readonly natsListen: string;
  readonly nats: string; // as learner and actors reach it
  readonly coordinatorListen: string;
  /** As learner and actors reach it; a function where it differs by process. */
  readonly coordinator: string | ((name: ProcessName) => string);
  readonly learnerListen: string;
  readonly learnerAdvertise: string; // as actors reach it
  /** As this test reaches the coordinator. */
  readonly control: string;
  /** Where /metrics of every process listens, as this test reaches it too. */
  readonly metricsHost: string;
}

export interface FleetOptions {
  /** A folder of this fleet's own: the run in `run/`, `nats/`, `logs/`, `config.json`, `deploy.json`. */
  readonly folder: string;
  readonly runDir?: string; // the run, where it is elsewhere
  /** RunConfig fields; the presets fill in what is absent. */
  readonly config: Readonly<Record<string, unknown>>;
  /** DeployConfig fields over `chaosDeploy`. */
  readonly deploy?: Readonly<Record<string, unknown>>;
  readonly actors?: number; // default 2
  readonly workers?: number; // rollout workers of each actor, default 1
  readonly addresses?: Partial<Addresses>;
  /** A command put before a process's own, e.g. ["ip", "netns", "exec", "host-1"]; it must exec what follows. */
  readonly wrap?: (name: ProcessName) => readonly string[];
  /** Variables over those of this process. */
  readonly env?: (name: ProcessName) => Readonly<Record<string, string>>;
  /** Milliseconds that each step of pacedCartPole takes; default 0. */
  readonly stepMs?: number;
  /** The run is paused before its learner starts: fleet.control("RESUME") begins it. */
  readonly paused?: boolean;
  readonly label?: string; // the test's name, for the table of faults
}

/** Short leases and heartbeats, checkpoints often: so that a minute holds many faults. */
export const chaosDeploy = {
  leaseSeconds: 2,
  heartbeatSeconds: 0.3,
  checkpointEvery: 3,
  checkpointsKept: 3,
  drainSeconds: 5,
  insecure: true, // network namespaces of this machine are not its loopback interface
} as const;

/** The control token of every fleet. */
export const fleetToken = "chaos";

/** Marks every process of a fleet, whoever started it; see processesWith. */
export const fleetVariable = "ANCHORAGE_CHAOS_FLEET";

export const mainProgram = join(projectRoot, "dist", "cli", "main.js");

/** Addresses on free ports of the loopback interface, with the given ones in their places. */
export async function fleetAddresses(given: Partial<Addresses> = {}): Promise<Addresses> {
  const own = async (): Promise<string> => `127.0.0.1:${await freePort()}`;
  const natsListen = given.natsListen ?? (await own());
  const coordinatorListen = given.coordinatorListen ?? (await own());
  const learnerListen = given.learnerListen ?? (await own());
  return {
    natsListen,
    nats: natsListen,
    coordinatorListen,
    coordinator: coordinatorListen,
    learnerListen,
    learnerAdvertise: learnerListen,
    control: coordinatorListen,
    metricsHost: "127.0.0.1",
    ...given,
  };
}

/** Variables that every process of a fleet has, whoever starts it. */
export function fleetEnvironment({ stepMs = 0 }: FleetOptions, mark: string): Record<string, string> {
  return { [fleetVariable]: mark, ANCHORAGE_TEST_STEP_MS: String(stepMs) };
}

/** Writes config.json and deploy.json and makes the folders. */
export function prepareFolder({ folder, config, deploy }: FleetOptions, metricsHost: string): void {
  if (!existsSync(mainProgram)) throw new Error(`${mainProgram} is missing: run npm run build before this test`);
  for (const name of ["logs", "nats"]) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const controlToken = join(folder, "control-token");
  writeFileSync(controlToken, fleetToken);
  writeFileSync(join(folder, "deploy.json"), JSON.stringify({ ...chaosDeploy, metricsHost, controlToken, ...deploy }));
}

/** The command, environment and log of one process. The coordinator goes on with the run if there is one. */
export function launchOf(
  name: ProcessName,
  options: FleetOptions,
  addresses: Addresses,
  metricsPort: number,
  mark: string,
): Launch {
  const { folder } = options;
  const role = name.startsWith("actor") ? "actor" : name;
  const coordinator = addresses.coordinator;
  const reach = ["--coordinator", typeof coordinator === "string" ? coordinator : coordinator(name)];
  const deploy = ["--deploy", join(folder, "deploy.json")];
  const flags: Record<string, () => string[]> = {
    coordinator: () => [
      ...[
        "--run-dir",
        options.runDir ?? join(folder, "run"),
        "--resume",
        "auto",
        "--config",
        join(folder, "config.json"),
      ],
      ...["--listen", addresses.coordinatorListen, "--nats", addresses.nats, ...deploy],
    ],
    learner: () => [
      ...["--listen", addresses.learnerListen, "--advertise", addresses.learnerAdvertise, ...reach, ...deploy],
    ],
    actor: () => ["--workers", String(options.workers ?? 1), ...reach, ...deploy],
  };
  const own =
    name === "nats"
      ? natsCommand(folder, addresses.natsListen)
      : [process.execPath, mainProgram, role, ...flags[role]!()];
  return {
    name,
    command: [...(options.wrap?.(name) ?? []), ...own],
    env: {
      ...(name !== "nats" && { [`ANCHORAGE_${role.toUpperCase()}_METRICS_PORT`]: String(metricsPort) }),
      ...fleetEnvironment(options, mark),
      ...options.env?.(name),
    },
    logFile: join(folder, "logs", `${name}.log`),
  };
}

function natsCommand(folder: string, listen: string): string[] {
  const binary = nativeParts().natsServer;
  if (binary === null) throw new Error("there is no NATS server binary: run npm run setup");
  const at = listen.lastIndexOf(":");
  return [
    binary,
    ...["--addr", listen.slice(0, at), "--port", listen.slice(at + 1)],
    ...["--jetstream", "--store_dir", join(folder, "nats")],
  ];
}
