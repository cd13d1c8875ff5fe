import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Launch } from "../coordinator/page/page.ts";
import type { DeployConfig } from "../shared/deployConfig.ts";
import { processLifecycle } from "../shared/lifecycle.ts";
import { logger } from "../shared/log.ts";
import { RunConfig } from "../shared/runConfig.ts";
import { untilRunGoesOn } from "./afterTheRun.ts";
import { writeEndpoint } from "./control.ts";
import { tellTrain } from "./role.ts";
import { newRunConfig, type RunConfigFlags, restartedRunConfig, resumedRunConfig } from "./runConfigFlags.ts";

/** One process each, for `train` and for clusters. Each gives the exit status of its process. */

export interface CoordinatorFlags extends RunConfigFlags {
  readonly runDir: string;
  /** auto: go on with the run if there is one, as a restarted process does. */
  readonly resume?: true | "auto";
  readonly stay?: boolean;
  readonly resolvedConfig?: string; // from `train`
}

export async function coordinatorRole(flags: CoordinatorFlags, deploy: DeployConfig): Promise<number> {
  const { runCoordinator } = await import("../coordinator/main.ts");
  const outcome = await runCoordinator(deploy, coordinatorConfig(flags), {
    runDir: flags.runDir,
    resume: flags.resume ?? false,
    stay: flags.stay ?? false,
    followed: process.connected, // by `train`
    lifecycle: processLifecycle(logger("coordinator")),
    ...(canPlay() ? { launch: startOwn } : {}),
    onReady: ({ address, metricsPort }) => {
      writeEndpoint(flags.runDir, { address, metricsPort });
      tellTrain({ kind: "ready", address, metricsPort });
    },
  });
  return outcome.state === "FAILED" ? 1 : 0;
}

/** An image that only coordinates has neither environments nor what plays them. */
const canPlay = (): boolean => existsSync(fileURLToPath(new URL("./watch.js", import.meta.url)));

/** This command line again, as a child that is read. */
const startOwn: Launch = (args) =>
  spawn(process.execPath, [process.argv[1]!, ...args], { stdio: ["ignore", "pipe", "pipe"] });

function coordinatorConfig(flags: CoordinatorFlags): RunConfig {
  if (flags.resolvedConfig !== undefined) return RunConfig.parse(JSON.parse(flags.resolvedConfig));
  if (flags.resume === true) return resumedRunConfig(flags.runDir, flags);
  return flags.resume === "auto" ? restartedRunConfig(flags.runDir, flags) : newRunConfig(flags);
}

/** `stay`: when the run is over, wait for it to go on instead of ending. */
export async function learnerRole(deploy: DeployConfig, stay = false): Promise<number> {
  const { runLearner } = await import("../learner/main.ts");
  const log = logger("learner");
  const lifecycle = processLifecycle(log);
  const status = await runLearner(deploy, { lifecycle });
  const metricsPort = deploy.learnerMetricsPort;
  if (stay) await untilRunGoesOn({ role: "learner", deploy, metricsPort, lifecycle, log });
  return status;
}

export async function actorRole(deploy: DeployConfig, stay = false): Promise<number> {
  const { runActor } = await import("../actor/main.ts");
  const log = logger("actor");
  const lifecycle = processLifecycle(log);
  const status = await runActor(deploy, lifecycle);
  const metricsPort = deploy.actorMetricsPort;
  if (stay) await untilRunGoesOn({ role: "actor", deploy, metricsPort, lifecycle, log });
  return status;
}
