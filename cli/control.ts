import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Status__Output } from "../proto/gen/anchorage/v1/Status.ts";
import { CoordinatorClient } from "../shared/coordinatorClient.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
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
}

/** `anchorage status|pause|resume|stop`: asks the coordinator and prints the run's status. */
export async function control(action: "STATUS" | "PAUSE" | "RESUME" | "STOP", flags: ControlFlags): Promise<number> {
  const client = new CoordinatorClient(addressOf(flags));
  try {
    if (flags.runDir !== undefined && flags.coordinator === undefined) await checkRun(client, flags.runDir);
    const status = await client.control(action, { patienceMs: 3_000 });
    process.stdout.write(flags.json ? `${JSON.stringify(status)}\n` : describe(status));
    return 0;
  } finally {
    client.close();
  }
}

function addressOf(flags: ControlFlags): string {
  if (flags.coordinator !== undefined) return flags.coordinator;
  if (flags.runDir === undefined)
    throw new OperatorError(
      "CONFIG",
      "Which run?",
      "Give --run-dir FOLDER (on this machine) or --coordinator HOST:PORT.",
    );
  try {
    return Endpoint.parse(JSON.parse(readFileSync(endpointFile(flags.runDir), "utf8"))).address;
  } catch (cause) {
    const problem = `${endpointFile(flags.runDir)} does not say where the run's coordinator is: ${messageOf(cause)}.`;
    throw new OperatorError("STORAGE", problem, "Is the run going? Else give --coordinator HOST:PORT.", { cause });
  }
}

/** An ended run's port may serve another run by now: that one must not be stopped in its place. */
async function checkRun(client: CoordinatorClient, runDir: string): Promise<void> {
  const file = join(runDir, "run.json");
  const { run } = await client.control("STATUS", { patienceMs: 3_000 });
  const { runId } = z.object({ runId: z.string() }).parse(JSON.parse(readFileSync(file, "utf8")));
  if (run?.run_id === runId) return;
  const problem = `${endpointFile(runDir)} is out of date: the coordinator there has the run ${run?.run_id}, and ${file} says ${runId}.`;
  throw new OperatorError("MISMATCH", problem, "The run in this folder is not going; train --resume goes on with it.");
}

function describe(status: Status__Output): string {
  const { run, updates, agent_steps: steps, total_steps: total, members, metrics } = status;
  const lines = [
    `run ${run?.run_id}: ${run?.state.toLowerCase()}, generation ${run?.generation}${run?.reproducible ? "" : ", not reproducible"}`,
    `  ${updates} updates, ${steps} of ${total} agent steps, mean return ${metrics.mean_return?.toFixed(2) ?? "-"}, ${whoWaits(metrics)}`,
    `  newest checkpoint: ${run?.newest_checkpoint ? `after update ${run.newest_checkpoint}` : "none yet"}`,
    ...(run?.failure ? [`  failure: ${run.failure}`] : []),
    ...members.map(
      (m) =>
        `  ${m.role.toLowerCase()} ${m.member_id} on ${m.host} (pid ${m.pid}), seen ${m.last_seen_seconds.toFixed(1)} s ago ${m.status_json}`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}
