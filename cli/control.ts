import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { controlTokenFile } from "../coordinator/controlToken.ts";
import type { Status__Output } from "../proto/gen/anchorage/v1/Status.ts";
import { CoordinatorClient } from "../shared/coordinatorClient.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import { isTransient } from "../shared/grpcErrors.ts";
import { readSecret } from "../shared/secretFile.ts";
import { Transport } from "../shared/transport.ts";
import { deployConfig } from "./deployFlags.ts";
import { describeEnded, endOf, refusal, type StoredRun, storedRun } from "./endedRun.ts";
import { whoWaits } from "./progress.ts";

const Endpoint = z.object({ address: z.string(), metricsPort: z.int() });
const endpointFile = (runDir: string): string => join(runDir, "endpoint.json");

/** Where a run's coordinator serves, for commands that are given only the run's folder. */
export function writeEndpoint(runDir: string, endpoint: z.infer<typeof Endpoint>): void {
  writeFileSync(endpointFile(runDir), `${JSON.stringify(endpoint)}\n`);
}

export interface ControlFlags {
  readonly runDir?: string;
  readonly coordinator?: string;
  readonly json?: boolean;
  readonly tls?: string;
  readonly controlToken?: string;
  readonly insecure?: boolean;
}

type Action = "STATUS" | "PAUSE" | "RESUME" | "STOP";

/**
 * `anchorage status|pause|resume|stop`: asks the coordinator and prints the run's status. Where a folder's coordinator has
 * gone, the folder tells how the run ended.
 */
export async function control(action: Action, flags: ControlFlags): Promise<number> {
  const { runDir, coordinator, json = false } = flags;
  if (coordinator !== undefined)
    print(await ask(coordinator, flags, (client) => client.control(action, briefly)), json);
  else if (runDir === undefined) throw whichRun();
  else {
    const stored = await storedRun(runDir);
    const status = await askOwn(action, stored, flags);
    if (status !== null) print(status, json);
    else if (action !== "STATUS") throw refusal(action, stored);
    else process.stdout.write(describeEnded(await storedRun(runDir), json));
  }
  return 0;
}

/**
 * The status of the run that the flags name; null: its coordinator cannot be reached (any more). Throws CONFIG where they
 * name none.
 */
export async function reachedStatus(flags: ControlFlags): Promise<Status__Output | null> {
  const { runDir, coordinator } = flags;
  if (coordinator === undefined && runDir === undefined) throw whichRun();
  if (coordinator === undefined) return askOwn("STATUS", await storedRun(runDir!), flags);
  try {
    return await ask(coordinator, flags, (client) => client.control("STATUS", briefly));
  } catch (error) {
    if (isTransient(error)) return null;
    throw error;
  }
}

function whichRun(): OperatorError {
  return new OperatorError(
    "CONFIG",
    "Which run?",
    "Give --run-dir FOLDER (on this machine) or --coordinator HOST:PORT.",
  );
}

const briefly = { patienceMs: 3_000 };

/** Shows who asks: an operator's certificate, or the control token of the run (`flags.runDir` names its folder). */
async function ask<T>(address: string, flags: ControlFlags, of: (client: CoordinatorClient) => Promise<T>): Promise<T> {
  const { tls, controlToken, insecure, runDir } = flags;
  const deploy = deployConfig({ tls, controlToken, insecure });
  const kept = runDir === undefined ? null : controlTokenFile(runDir);
  const tokenFile = deploy.controlToken ?? (kept !== null && existsSync(kept) ? kept : null);
  const token = tokenFile === null ? null : readSecret("controlToken", tokenFile);
  const client = new CoordinatorClient(address, { transport: Transport.of(deploy, "operator"), token });
  try {
    return await of(client);
  } finally {
    client.close();
  }
}

/**
 * null: this run's coordinator has gone. An ended run's port may serve another run by now, and that one must not be
 * stopped in its place.
 */
async function askOwn(action: Action, stored: StoredRun, flags: ControlFlags): Promise<Status__Output | null> {
  const address = endpointOf(stored.runDir);
  if (address === null) return null;
  const patience = endOf(stored) === null ? briefly : { patienceMs: 0 };
  try {
    return await ask(address, flags, async (client) => {
      const { run_id } = await client.getRun(patience); // another run has another token
      return run_id === stored.runId ? await client.control(action, patience) : null;
    });
  } catch (error) {
    if (isTransient(error)) return null;
    throw error;
  }
}

/** null: no coordinator has served this run. */
function endpointOf(runDir: string): string | null {
  const file = endpointFile(runDir);
  if (!existsSync(file)) return null;
  try {
    return reachable(Endpoint.parse(JSON.parse(readFileSync(file, "utf8"))).address);
  } catch (cause) {
    const problem = `${file} does not say where the run's coordinator is: ${messageOf(cause)}.`;
    throw new OperatorError("CORRUPT", problem, "Give --coordinator HOST:PORT, which its log names.", { cause });
  }
}

/** Who listens everywhere is reached on this machine by its loopback address. */
const reachable = (address: string): string =>
  address.replace(/^0\.0\.0\.0:/, "127.0.0.1:").replace(/^\[::\]:/, "[::1]:");

function print(status: Status__Output, json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify(status)}\n` : describe(status));
}

function describe(status: Status__Output): string {
  const { run, updates, agent_steps: steps, total_steps: total, members, metrics } = status;
  const lines = [
    `run ${run?.run_id}: ${run?.state.toLowerCase()}, generation ${run?.generation}${run?.reproducible ? "" : ", not reproducible"}`,
    `  ${updates} updates, ${steps} of ${total} agent steps, mean return ${metrics.mean_return?.toFixed(2) ?? "-"}, ${whoWaits(metrics)}`,
    ...(metrics.backups_granted
      ? [`  late leases given to a second actor: ${metrics.backups_granted}, first there: ${metrics.backups_won}`]
      : []),
    `  newest checkpoint: ${run?.newest_checkpoint ? `after update ${run.newest_checkpoint}` : "none yet"}`,
    ...(run?.damaged_checkpoints
      ? [`  damaged checkpoints: ${run.damaged_checkpoints}, set aside as checkpoints/*.damaged`]
      : []),
    ...(status.page ? [`  page: ${status.page}`] : []),
    ...(run?.failure ? [`  failure: ${run.failure}`] : []),
    ...members.map(
      (m) =>
        `  ${m.role.toLowerCase()} ${m.member_id} on ${m.host} (pid ${m.pid}), seen ${m.last_seen_seconds.toFixed(1)} s ago ${m.status_json}`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}
