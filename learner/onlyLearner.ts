import { hostname } from "node:os";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { Run__Output as Run } from "../proto/gen/anchorage/v1/Run.ts";
import type { WorkingLearner__Output as WorkingLearner } from "../proto/gen/anchorage/v1/WorkingLearner.ts";
import type { CoordinatorClient } from "../shared/coordinatorClient.ts";
import type { DeployConfig } from "../shared/deployConfig.ts";
import { OperatorError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { servedRun } from "../shared/servedRun.ts";

const askEveryMs = 500;

/**
 * Waits while another learner works on the run: until it has ended, or was silent for so long that the coordinator forgets it.
 * One whose process was on this machine and is gone needs no waiting: a restart after a crash is as fast as ever. Throws BUSY
 * once it is sure that the other one lives. Two that find no other at the same moment both register, and the coordinator
 * keeps the later one (its generation): this spares a run that, it does not protect it.
 */
export async function onlyLearner(
  run: Run,
  client: CoordinatorClient,
  deploy: DeployConfig,
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  let other = run.working_learner;
  if (other === null || hasEnded(other)) return;
  const { silence_seconds: silence } = other;
  log.warn(`${described(run, other)}: waiting for it to end or to be silent for ${silence} s`);
  const until = performance.now() + 2 * silence * 1000;
  while (performance.now() < until) {
    await sleep(askEveryMs, undefined, { signal });
    other = (await servedRun(client, deploy, signal)).run.working_learner;
    if (other === null || hasEnded(other)) return;
  }
  const remedy = `A run has one learner: stop that one first, or let it work. Were it silent for ${silence} s, another would take its place.`;
  throw new OperatorError("BUSY", `${described(run, other)}.`, remedy);
}

const described = ({ run_id: id }: Run, { host, pid, last_seen_seconds: seen }: WorkingLearner): string =>
  `another learner works on run ${id}: pid ${pid} on ${host}, heard of ${seen.toFixed(1)} s ago`;

/** Of another machine's process only its silence tells. */
function hasEnded({ host, pid }: WorkingLearner): boolean {
  if (host !== hostname()) return false;
  if (pid === process.pid) return true; // a container's first process has the same one after a restart
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
