import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "../../cli/natsServer.ts";
import { until } from "../chaos/until.ts";
import { type Running, run, start, temporaryFolder } from "./command.ts";
import { startNats } from "./securedNats.ts";

const readiness = async (port: number): Promise<string> => {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`);
    return `${response.status} ${await response.text()}`;
  } catch {
    return "not there"; // between the role's end and the wait
  }
};

/** Roles by hand, as a supervisor starts them that starts again whatever ends. */
async function fleet() {
  const folder = temporaryFolder();
  const runDir = join(folder.path, "run");
  const nats = await startNats(["-js", "-sd", join(folder.path, "nats")], folder.path);
  const ports = { coordinator: await freePort(), learner: await freePort(), actor: await freePort() };
  const address = `127.0.0.1:${ports.coordinator}`;
  const env = {
    ANCHORAGE_LEARNER_METRICS_PORT: String(ports.learner),
    ANCHORAGE_ACTOR_METRICS_PORT: String(ports.actor),
  };
  const begin = (role: string, ...flags: string[]): Running => {
    const running = start([role, "--stay", "--nats", nats, ...flags], { env });
    onTestFinished(async () => {
      running.process.kill("SIGKILL");
      await running.finished;
    });
    return running;
  };
  onTestFinished(() => folder.remove());
  const training = ["--env", "CartPole-v1", "--total-steps", "10000000"];
  const coordinator = begin("coordinator", "--run-dir", runDir, "--resume", "auto", "--listen", address, ...training);
  const learner = begin("learner", "--coordinator", address);
  const actor = begin("actor", "--workers", "1", "--coordinator", address);
  return { runDir, ports, coordinator, learner, actor };
}

it("with --stay a run's end ends no process; members begin anew when it goes on, and SIGTERM ends the coordinator", async () => {
  const { runDir, ports, coordinator, learner, actor } = await fleet();
  const state = async (): Promise<{ updates: number; members: unknown[] }> => {
    const { stdout, status } = await run(["status", "--run-dir", runDir, "--json"]);
    return status === 0 ? JSON.parse(stdout) : { updates: 0, members: [] };
  };
  await until("training has begun", async () => (await state()).updates > 0, 120_000);
  expect((await run(["stop", "--run-dir", runDir])).status).toBe(0);
  for (const port of [ports.learner, ports.actor])
    await until("the member waits", async () => (await readiness(port)) === "503 not ready: the run is over\n", 60_000);
  expect((await state()).members).toEqual([]);
  const alive = [coordinator, learner, actor].map((each) => each.process.exitCode);
  expect(alive).toEqual([null, null, null]);

  expect((await run(["resume", "--run-dir", runDir])).status).toBe(0);
  expect((await learner.finished).status).toBe(0);
  expect((await actor.finished).status).toBe(0);
  coordinator.process.kill("SIGTERM");
  expect((await coordinator.finished).status).toBe(0);
}, 240_000);
