import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { controlToken } from "../../coordinator/controlToken.ts";
import { CoordinatorClient } from "../../shared/coordinatorClient.ts";
import { done, run, start, temporaryFolder } from "./command.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const runDir = (name: string): string => join(folder.path, name);

/** 16 updates of 4 EnvBatches, with leases of a minute and actors of one worker. */
const train = (name: string, actors: number): Parameters<typeof start> => [
  ["train", "--json", "--run-dir", runDir(name), "--actors", `${actors}`]
    .concat(["--env", "CartPole-v1", "--total-steps", "32768"])
    .concat(["--set", "envs=32", "--set", "envBatchSize=8"]),
  { env: { ANCHORAGE_LEASE_SECONDS: "60", ANCHORAGE_ACTOR_WORKERS: "1" } },
];

/** Asked of the coordinator directly: a command would take longer than the run. */
async function actorPids(name: string): Promise<number[]> {
  const { address } = JSON.parse(readFileSync(join(runDir(name), "endpoint.json"), "utf8")) as { address: string };
  const client = new CoordinatorClient(address, { token: controlToken(runDir(name), null) });
  const { members } = await client.control("STATUS");
  client.close();
  return members.filter(({ role }) => role === "ACTOR").map(({ pid }) => pid);
}

it("an actor that is stopped in mid-run does not hold it up for a lease's time, and the weights are the same", async () => {
  const undisturbed = done(await run(...train("undisturbed", 1)));
  const running = start(...train("stopped", 2));
  await running.event(({ event, update }) => event === "update" && Number(update) >= 4);
  const pids = await actorPids("stopped");
  expect(pids).toHaveLength(2);
  process.kill(pids[1]!, "SIGSTOP");
  const stopped = performance.now();
  await running.event(({ event, backupsWon }) => event === "update" && Number(backupsWon) >= 1);
  expect(performance.now() - stopped, "ms, of a lease of 60 000").toBeLessThan(30_000);
  process.kill(pids[1]!, "SIGCONT");
  const finished = await running.finished;
  expect(done(finished)).toEqual(undisturbed);
  const last = finished.events.findLast(({ event }) => event === "update");
  expect(last).toMatchObject({ leasesExpired: 0, rolloutsRefused: 0, reproducible: 1 });
  expect(Number(last!.backupsGranted)).toBeGreaterThanOrEqual(Number(last!.backupsWon));
}, 120_000);
