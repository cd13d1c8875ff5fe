import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { prepareRunFolder } from "../coordinator/runStore.ts";
import { initialPolicy } from "../learner/initialPolicy.ts";
import { networkSpec } from "../learner/networkSpec.ts";
import { loadOwnObjective } from "../learner/objectives/ownObjective.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import { configDigest, type RunConfig } from "../shared/runConfig.ts";
import { checkAddresses } from "./checkAddresses.ts";
import { trainDeployConfig } from "./deployFlags.ts";
import { finishedRun } from "./finishedRun.ts";
import { contentOf } from "./initFrom.ts";
import { newRunConfig, type RunConfigFlags, resumedRunConfig } from "./runConfigFlags.ts";
import { RunView } from "./runView.ts";
import { actorPlan, train } from "./train.ts";

export interface TrainFlags extends RunConfigFlags {
  readonly actors?: number;
  readonly deploy?: string;
  readonly runDir?: string;
  readonly resume?: boolean;
  readonly json?: boolean;
  readonly insecure?: boolean;
}

/**
 * Checks everything that can be checked before a process is started, then trains. With --json an error's last line on
 * stdout is a `failed` event; the error itself is its caller's.
 */
export async function startTraining(flags: TrainFlags): Promise<number> {
  try {
    return await checkedTraining(flags);
  } catch (error) {
    if (flags.json) process.stdout.write(`${JSON.stringify({ event: "failed", message: messageOf(error) })}\n`);
    throw error;
  }
}

async function checkedTraining(flags: TrainFlags): Promise<number> {
  const deploy = trainDeployConfig({ deploy: flags.deploy, insecure: flags.insecure });
  const resume = flags.resume ?? false;
  if (resume && flags.runDir === undefined)
    throw new OperatorError("CONFIG", "--resume does not say which run.", "Give its folder with --run-dir.");
  const config = resume ? resumedRunConfig(flags.runDir!, flags) : newRunConfig(flags);
  await loadOwnObjective(config.algo); // throws CONFIG, once, before any process is started
  await checkEnvironment(resume ? { ...config, initFrom: null } : config); // a run that goes on does not need that file
  const run = { config, runDir: resolve(flags.runDir ?? newRunDir(config)), resume, json: flags.json ?? false };
  if (resume && configDigest(config) === configDigest(resumedRunConfig(run.runDir, {}))) {
    const result = await finishedRun(run.runDir);
    if (result !== null) {
      new RunView(run).done(result); // nothing is left to do, and no process would have anything to say
      return 0;
    }
  }
  const options = { ...run, deploy, actors: flags.actors ?? null };
  await checkAddresses(deploy, actorPlan(options).actors);
  await prepareRunFolder(run); // before `train` itself writes logs there
  return train(options);
}

/** Makes the environment once, so that a wrong id, option or network is one message here and not one per actor. */
export async function checkEnvironment(config: RunConfig): Promise<void> {
  const { makeEnvBatch } = await import("../actor/environments.ts");
  const batch = await makeEnvBatch({ env: config.env, envOptions: config.envOptions, size: 1 });
  batch.close();
  const network = networkSpec(config, batch.spec); // throws CONFIG where the network does not fit it
  if (config.initFrom === null) return;
  const { file } = config.initFrom;
  initialPolicy({ name: file, bytes: contentOf(file) }, network, batch.spec); // throws CONFIG where that does not fit
}

/** runs/<environment>-<algo>-s<seed>-<n>: the first number that is free. */
function newRunDir(config: RunConfig): string {
  const named = (text: string): string => text.replace(/^.*\//, "").replace(/\.[cm]?[jt]s$/, "");
  const name = `${named(config.env)}-${named(config.algo)}-s${config.seed}`;
  for (let n = 1; ; n++) {
    const folder = join("runs", `${name}-${n}`);
    if (!existsSync(folder)) return folder;
  }
}
