import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { loadOwnObjective } from "../../learner/objectives/ownObjective.ts";
import type { DeployConfig } from "../../shared/deployConfig.ts";
import { OperatorError } from "../../shared/errors.ts";
import { type RunConfig, runShape } from "../../shared/runConfig.ts";
import { trainDeployConfig } from "../deployFlags.ts";
import { checkEnvironment } from "../startTraining.ts";
import { readSuite, type Suite } from "./suiteFile.ts";
import { compareWithFolder } from "./suiteFolder.ts";
import { type PlannedRun, planSuite } from "./suitePlan.ts";

export interface SuiteFlags {
  readonly suiteDir?: string;
  readonly jobs?: number;
  readonly deploy?: string;
  readonly insecure?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** A suite whose every run was checked, and how to run it. */
export interface CheckedSuite {
  readonly suite: Suite;
  readonly nameOrFile: string;
  readonly runs: readonly PlannedRun[];
  readonly folder: string; // absolute
  readonly jobs: number;
  readonly workers: number | null; // of each run's actor; null: as `train` chooses
  readonly flags: SuiteFlags;
}

/** Checks all that can be checked before a run is begun. Throws CONFIG, MISMATCH, STORAGE or ENVIRONMENT. */
export async function checkedSuite(nameOrFile: string, flags: SuiteFlags): Promise<CheckedSuite> {
  const deploy = trainDeployConfig({ deploy: flags.deploy, insecure: flags.insecure });
  const suite = readSuite(nameOrFile);
  const runs = await planSuite(suite, async (config) => {
    await loadOwnObjective(config.algo);
    await checkEnvironment(config);
  });
  const folder = resolve(flags.suiteDir ?? join("runs", suite.name));
  await compareWithFolder(folder, runs);
  const jobs = Math.min(flags.jobs ?? defaultJobs(runs.map(({ config }) => config)), runs.length);
  if (jobs > 1) refuseSharedPorts(deploy, jobs);
  const workers = jobs === 1 || deploy.actorWorkers !== null ? null : workersEach(jobs, runs);
  return { suite, nameOrFile, runs, folder, jobs, workers, flags };
}

/** A run keeps a core busy with its learner and one with each worker, of which a round's EnvBatches are the most. */
function defaultJobs(configs: readonly RunConfig[]): number {
  const busiest = Math.max(...configs.map((config) => 1 + runShape(config).envBatches));
  return Math.max(1, Math.floor(availableParallelism() / busiest));
}

/** The cores shared out among the jobs. No result depends on it. */
function workersEach(jobs: number, runs: readonly PlannedRun[]): number {
  const useful = Math.max(...runs.map(({ config }) => runShape(config).envBatches));
  return Math.max(1, Math.min(useful, Math.floor(availableParallelism() / jobs)));
}

function refuseSharedPorts(deploy: DeployConfig, jobs: number): void {
  for (const field of ["coordinatorMetricsPort", "learnerMetricsPort", "actorMetricsPort"] as const)
    if (deploy[field] !== 0)
      throw new OperatorError(
        "CONFIG",
        `${field}=${deploy[field]} cannot serve ${jobs} runs at a time.`,
        "Leave it at 0 (any free port), or give --jobs 1.",
      );
  if (!deploy.learnerListen.endsWith(":0"))
    throw new OperatorError(
      "CONFIG",
      `learnerListen=${deploy.learnerListen} cannot serve ${jobs} runs at a time.`,
      "Give it port 0 (any free port), or give --jobs 1.",
    );
}
