import type { ChildProcess } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { controlToken } from "../coordinator/controlToken.ts";
import type { WatchEvent__Output } from "../proto/gen/anchorage/v1/WatchEvent.ts";
import { CoordinatorClient } from "../shared/coordinatorClient.ts";
import type { DeployConfig } from "../shared/deployConfig.ts";
import { OperatorError } from "../shared/errors.ts";
import { processLifecycle } from "../shared/lifecycle.ts";
import { logger } from "../shared/log.ts";
import { runShape } from "../shared/runConfig.ts";
import { rotateLogs } from "./logRotation.ts";
import { freePort, listening, startNatsServer, writeNatsSettings } from "./natsServer.ts";
import { withLogInRun } from "./openInRun.ts";
import { type Outcome, RunView, type ViewedRun } from "./runView.ts";
import { forkRole, Supervised } from "./supervisor.ts";

export interface TrainOptions extends ViewedRun {
  readonly deploy: DeployConfig;
  readonly actors: number | null; // null: chosen from the cores
}

/** For members that outlast their run, e.g. those that were only starting when it was stopped; its state is stored by then. */
const memberGraceMs = 5_000;

/**
 * A whole run on this machine: NATS, coordinator, learner and actors, each a process of its own, kept alive until the
 * run is finished. Ctrl-C once: drain, checkpoint, end; twice: end at once. Gives the exit status: 0 only if finished.
 */
export async function train(options: TrainOptions): Promise<number> {
  const log = logger("train");
  const lifecycle = processLifecycle(log);
  const view = new RunView(options);
  let fail: (error: unknown) => void = () => undefined;
  const failure = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failure.catch(() => undefined); // it is raced below; before that nobody listens
  const watching = new AbortController();
  const processes: Supervised[] = [];
  const supervise = (process: Supervised): Supervised => {
    process.on("gaveUp", fail);
    process.on("restart", (name, reason, restarts) =>
      view.say(`${name} ended (${reason}); starting it again (${restarts})`),
    );
    processes.push(process);
    return process.start();
  };
  // Whatever way this process ends: nothing it started stays behind.
  process.on("exit", () => {
    for (const { pid } of processes) if (pid !== undefined) killIfAlive(pid);
  });
  const endRotation = rotateLogs(options.runDir, log);
  try {
    const client = await Promise.race([startAll(options, supervise, log), failure]);
    void lifecycle.stopped().then(() => {
      view.say("Stopping: the actors drain, the learner writes a checkpoint. Ctrl-C again to stop at once.");
      stopRun(client, options.runDir).catch(fail);
    });
    if (options.resume) view.resumeAfter((await client.control("STATUS")).updates);
    const outcome = await Promise.race([follow(client, view, watching.signal), failure]);
    for (const process of processes) process.letGo();
    await Promise.all(processes.slice(2).map((process) => process.finished(memberGraceMs)));
    client.close();
    view.close(outcome);
    return outcome.state === "FINISHED" ? 0 : outcome.state === "FAILED" ? 1 : 130;
  } finally {
    watching.abort();
    endRotation();
    view.end();
    const [servers, members] = [processes.slice(0, 2), processes.slice(2)];
    await Promise.all(members.map((process) => process.stop("SIGTERM", 5_000))); // the coordinator still takes what they have
    for (const process of servers.toReversed()) await process.stop("SIGTERM", 5_000);
  }
}

/**
 * Tells the run to stop. Throws STORAGE where its disk does not take even that: what waits with the learner cannot be stored
 * either, and waiting out the drain would change nothing.
 */
async function stopRun(client: CoordinatorClient, runDir: string): Promise<void> {
  try {
    await client.control("STOP");
  } catch (error) {
    if (!(error instanceof OperatorError && error.code === "STORAGE")) throw error;
    const { updates, run } = await client.control("STATUS");
    const newest = run?.newest_checkpoint ?? 0;
    const from = newest === 0 ? "update 1, as no checkpoint is stored" : `the checkpoint after update ${newest}`;
    const problem = `${error.problem} Nothing after update ${updates} is stored; nothing else is lost.`;
    const remedy = `Once the disk is mended: anchorage train --resume --run-dir ${runDir} goes on from ${from}.`;
    throw new OperatorError("STORAGE", problem, remedy, { cause: error });
  }
}

/** In the order of need; the coordinator's and NATS's addresses stay the same however often they are started again. */
async function startAll(
  options: TrainOptions,
  supervise: (process: Supervised) => Supervised,
  log: ReturnType<typeof logger>,
): Promise<CoordinatorClient> {
  const { runDir, deploy, json } = options;
  const natsPort = await freePort();
  const address = `127.0.0.1:${await freePort()}`;
  const reach = ["--coordinator", address, "--nats", `127.0.0.1:${natsPort}`];
  const logged = (file: string): string => `Its log: ${join(runDir, file)}`;
  const roleLogged = (name: string): string => (json ? "Its log is on stderr." : logged(`logs/${name}.log`));
  const coordinator = new Supervised("coordinator", roleLogged("coordinator"), () => {
    // One that was restarted goes on with what its predecessor left, if that came so far.
    const resume = coordinatorStarts++ > 0 ? ["--resume", "auto"] : options.resume ? ["--resume"] : [];
    const config = ["--resolved-config", JSON.stringify(options.config)];
    return role("coordinator", [...reach, "--listen", address, "--run-dir", runDir, ...config, ...resume]);
  });
  let coordinatorStarts = 0;
  let natsCredentials: string | null = null;
  const role = (name: string, flags: readonly string[]): ChildProcess => {
    const args = [name, ...flags, ...deployFlags({ ...deploy, natsCredentials })];
    if (json) return forkRole(args, "inherit");
    return withLogInRun(runDir, "logs", `${name}.log`, (logFile) => forkRole(args, logFile));
  };

  const ready = new Promise<void>((resolve) => coordinator.once("ready", () => resolve()));
  supervise(coordinator);
  await ready; // the folder is this run's from here on
  natsCredentials = writeNatsSettings(runDir, natsPort);
  const natsServer = () => startNatsServer(runDir);
  const nats = supervise(new Supervised("NATS server", logged("nats/nats.log"), natsServer));
  await listening(natsPort, nats.name);
  supervise(new Supervised("learner", roleLogged("learner"), () => role("learner", reach)));
  const { actors, workers } = actorPlan(options);
  const actor = () => role("actor", [...reach, "--workers", String(workers)]);
  for (let i = 0; i < actors; i++) supervise(new Supervised(`actor ${i + 1}`, roleLogged("actor"), actor));
  return new CoordinatorClient(address, { log, token: controlToken(runDir, deploy.controlToken) });
}

/** Actor processes and rollout workers in each: one worker per core, no more than a round has EnvBatches. */
export function actorPlan(options: Pick<TrainOptions, "actors" | "config" | "deploy">): {
  actors: number;
  workers: number;
} {
  const useful = Math.min(availableParallelism(), runShape(options.config).envBatches);
  const actors = options.actors ?? Math.max(1, Math.ceil(useful / 16));
  return { actors, workers: options.deploy.actorWorkers ?? Math.max(1, Math.floor(useful / actors)) };
}

/** Follows the run to its end through the coordinator's Watch stream. */
async function follow(client: CoordinatorClient, view: RunView, signal: AbortSignal): Promise<Outcome> {
  let status: WatchEvent__Output["status"] = null;
  for await (const event of client.watch(view.seen, { signal, patienceMs: 120_000 })) {
    if (event.update) view.update(event.update);
    if (event.status) {
      status = event.status;
      view.status(event.status);
    }
  }
  if (!status?.run)
    throw new OperatorError("NETWORK", "The coordinator ended the run's stream without its status.", "See its log.");
  return { state: status.run.state, failure: status.run.failure, status };
}

/** What `train` was told of how things run, passed on to every process that it starts. */
function deployFlags(deploy: DeployConfig): string[] {
  return ["--resolved-deploy", JSON.stringify(deploy)];
}

/** With its process group, of which each is the leader: NATS runs below a shell that could not pass SIGKILL on. */
function killIfAlive(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error; // ESRCH: already gone
  }
}
