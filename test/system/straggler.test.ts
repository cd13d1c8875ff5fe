import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { controlToken } from "../../coordinator/controlToken.ts";
import { CoordinatorClient } from "../../shared/coordinatorClient.ts";
import { done, run, start, temporaryFolder } from "./command.ts";
import { scrape } from "./scrape.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const runDir = (name: string): string => join(folder.path, name);

/** 10 updates of 6 EnvBatches, with leases of a minute and actors of one worker. A rollout takes 32 times `stepMs`. */
const train = (name: string, actors: number, stepMs: number): Parameters<typeof start> => [
  ["train", "--json", "--run-dir", runDir(name), "--actors", `${actors}`]
    .concat(["--env", "test/actor/fixtures/slowEnvironment.ts", "--total-steps", "1920"])
    .concat(["--set", "envs=12", "--set", "envBatchSize=2", "--set", "rolloutSteps=16", "--set", "minibatches=2"]),
  {
    env: { ANCHORAGE_LEASE_SECONDS: "60", ANCHORAGE_ACTOR_WORKERS: "1", ANCHORAGE_TEST_STEP_MS: String(stepMs) },
  },
];

/** Asked of the coordinator directly: a command would take longer than the run. */
async function membersOf(name: string) {
  const { address } = JSON.parse(readFileSync(join(runDir(name), "endpoint.json"), "utf8")) as { address: string };
  const client = new CoordinatorClient(address, { token: controlToken(runDir(name), null) });
  const { members } = await client.control("STATUS");
  client.close();
  const learner = members.find(({ role }) => role === "LEARNER");
  return {
    actorPids: members.filter(({ role }) => role === "ACTOR").map(({ pid }) => pid),
    learnerMetrics: (JSON.parse(learner!.status_json) as { metricsPort: number }).metricsPort,
  };
}

it("an actor that is stopped in mid-run does not hold it up for a lease's time, and the weights are the same", async () => {
  const undisturbed = done(await run(...train("undisturbed", 1, 0)));
  const running = start(...train("stopped", 2, 10));
  await running.event(({ event, update }) => event === "update" && Number(update) >= 2);
  const { actorPids, learnerMetrics } = await membersOf("stopped");
  expect(actorPids).toHaveLength(2);
  process.kill(actorPids[1]!, "SIGSTOP"); // a round of a second has just begun: in the middle of a rollout
  const stopped = performance.now();
  await running.event(({ event, backupsWon }) => event === "update" && Number(backupsWon) >= 1);
  expect(performance.now() - stopped, "ms, of a lease of 60 000").toBeLessThan(30_000);
  process.kill(actorPids[1]!, "SIGCONT"); // it ends its rollout within the round that the other one now begins
  const late = 'anchorage_learner_rollouts_duplicate_total{reason="outrun"}';
  await vi.waitUntil(async () => (await scrape(learnerMetrics))[late]! >= 1, { timeout: 30_000 });
  const finished = await running.finished;
  expect(done(finished)).toEqual(undisturbed);
  const last = finished.events.findLast(({ event }) => event === "update");
  expect(last).toMatchObject({ leasesExpired: 0, rolloutsRefused: 0, rolloutsStale: 0, reproducible: 1 });
  expect(Number(last!.backupsGranted)).toBeGreaterThanOrEqual(Number(last!.backupsWon));
  expect(Number(last!.rolloutsDuplicate)).toBeGreaterThanOrEqual(1);
}, 240_000);
