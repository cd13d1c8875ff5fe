import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "../../cli/natsServer.ts";
import { until } from "../chaos/until.ts";
import { type Running, run, start, temporaryFolder } from "./command.ts";
import { startNats } from "./securedNats.ts";

/** Roles by hand: a coordinator, and what else begins with it. */
async function roles() {
  const folder = temporaryFolder();
  onTestFinished(folder.remove);
  const runDir = join(folder.path, "run");
  const nats = await startNats(["-js", "-sd", join(folder.path, "nats")], folder.path);
  const address = `127.0.0.1:${await freePort()}`;
  const env = { ANCHORAGE_HEARTBEAT_SECONDS: "0.5" }; // silent for 5 s: forgotten
  const begin = (...args: string[]): Running => {
    const running = start([...args, "--nats", nats], { env });
    onTestFinished(async () => {
      running.process.kill("SIGKILL");
      await running.finished;
    });
    return running;
  };
  begin("coordinator", "--run-dir", runDir, "--env", "CartPole-v1", "--listen", address);
  const learner = (): Running => begin("learner", "--coordinator", address);
  /** Generation and pid of the learner that the coordinator knows. */
  const known = async (): Promise<[generation: number, pid: number | undefined]> => {
    const { status, stdout } = await run(["status", "--run-dir", runDir, "--json"]);
    if (status !== 0) return [0, undefined]; // not there yet
    const { run: now, members } = JSON.parse(stdout);
    return [now.generation, members.find(({ role }: { role: string }) => role === "LEARNER")?.pid];
  };
  return { learner, known };
}

it("a second learner is refused while the first one works; in place of a killed one, another begins at once", async () => {
  const { learner, known } = await roles();
  const first = learner();
  await until("the first is there", async () => (await known())[1] === first.process.pid, 60_000);
  const { status, stderr } = await learner().finished;
  expect(status).toBe(1);
  expect(stderr).toContain(`[BUSY] another learner works on run cartpole`);
  expect(stderr).toMatch(
    new RegExp(`: pid ${first.process.pid} on \\S+, heard of \\d\\.\\d s ago\\. A run has one learner:`),
  );
  expect(await known()).toEqual([1, first.process.pid]); // it was not disturbed

  first.process.kill("SIGKILL");
  await first.finished;
  const third = learner();
  await until("the third is there", async () => (await known())[1] === third.process.pid, 60_000);
  expect((await known())[0]).toBe(2);
  third.process.kill("SIGTERM");
  expect((await third.finished).stderr).not.toContain("another learner works"); // it did not wait
}, 180_000);
