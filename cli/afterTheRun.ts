import { setTimeout as sleep } from "node:timers/promises";
import { Registry } from "prom-client";
import { CoordinatorClient } from "../shared/coordinatorClient.ts";
import type { DeployConfig } from "../shared/deployConfig.ts";
import type { Lifecycle } from "../shared/lifecycle.ts";
import type { Logger } from "../shared/log.ts";
import { startMetricsServer } from "../shared/metricsServer.ts";
import { portRefusals } from "../shared/portRefusals.ts";
import { Transport } from "../shared/transport.ts";

interface Member {
  readonly role: "learner" | "actor";
  readonly deploy: DeployConfig;
  readonly metricsPort: number;
  readonly lifecycle: Lifecycle;
  readonly log: Logger;
}

/** Between two looks at an ended run. */
const lookEveryMs = 5_000;
const ended = new Set(["FINISHED", "FAILED", "STOPPING"]);

/**
 * For a member of an ended run whose supervisor would start it again and again (Kubernetes): resolves when the run goes on or
 * another one is served, and the process should begin anew, or when it is told to stop. Meanwhile it is alive and not ready.
 */
export async function untilRunGoesOn({ role, deploy, metricsPort, lifecycle, log }: Member): Promise<void> {
  const { stopping } = lifecycle;
  if (stopping.aborted) return;
  const registry = new Registry();
  const server = await startMetricsServer({
    host: deploy.metricsHost,
    port: metricsPort,
    registry,
    role,
    ready: () => "the run is over",
    refusals: portRefusals(registry, role, log),
  });
  const client = new CoordinatorClient(deploy.coordinator, { transport: Transport.of(deploy, role) });
  log.info("waiting for the run to go on, or for another one");
  try {
    const over = await client.getRun({ signal: stopping, patienceMs: Number.POSITIVE_INFINITY });
    for (let run = over; run.run_id === over.run_id && ended.has(run.state); ) {
      await sleep(lookEveryMs, undefined, { signal: stopping });
      run = await client.getRun({ signal: stopping, patienceMs: Number.POSITIVE_INFINITY });
    }
    log.info("there is work again: beginning anew");
  } catch (error) {
    if (!stopping.aborted) throw error;
  } finally {
    client.close();
    await server.close();
  }
}
