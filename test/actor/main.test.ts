import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { runActor } from "../../actor/main.ts";
import { PolicyPublisher } from "../../learner/policyPublisher.ts";
import { DeployConfig } from "../../shared/deployConfig.ts";
import type { EnvironmentSpec } from "../../shared/environment.ts";
import { Lifecycle } from "../../shared/lifecycle.ts";
import { logger } from "../../shared/log.ts";
import { openNats } from "../../shared/natsConnection.ts";
import { decodeRollout } from "../../shared/rolloutCodec.ts";
import { configDigest } from "../../shared/runConfig.ts";
import { registration, smallConfig, startCoordinator, temporaryFolder } from "../coordinator/runningCoordinator.ts";
import { NatsProcess } from "../learner/natsProcess.ts";
import { metricsPage } from "../system/scrape.ts";
import { TestLearner } from "./testLearner.ts";
import { tinyPolicy } from "./tinyPolicy.ts";

const log = logger("test");
let nats: NatsProcess;
beforeAll(async () => {
  nats = await (await NatsProcess.prepare()).start();
});
afterAll(() => nats.dispose());

/** A coordinator with a learner registered, its publisher, and one actor of two workers. */
async function startRun(told = nats.address) {
  const runDir = await temporaryFolder();
  const coordinator = await startCoordinator({ runDir, deploy: { nats: told } });
  const learner = await TestLearner.listen();
  onTestFinished(() => learner.kill());
  const { generation } = await coordinator.client.register({
    ...registration("LEARNER"),
    learner_address: learner.address,
  });
  const deploy = DeployConfig.parse({
    coordinator: coordinator.address,
    nats: nats.address,
    actorWorkers: 2,
    heartbeatSeconds: 0.1,
    coordinatorWaitSeconds: 0.2, // at its start only
  });
  const lifecycle = new Lifecycle(log);
  const exit = runActor(deploy, lifecycle);
  exit.catch(() => undefined); // looked at later
  const session = await learner.session({ generation });
  return { coordinator, learner, generation, lifecycle, exit, session };
}

it("uses the NATS server that it is given itself, whatever the coordinator tells", async () => {
  const { coordinator, lifecycle, exit } = await startRun("127.0.0.1:9"); // where nobody listens
  expect((await coordinator.client.getRun()).nats).toBe("127.0.0.1:9");
  const member = await memberOnce(coordinator.client, (status) => status.nats === true);
  expect(member.status).toMatchObject({ nats: true });
  lifecycle.stop({ kind: "signal", detail: "SIGTERM" });
  expect(await exit).toBe(0);
});

it("registers, introduces itself, collects what it is leased, drains on a stop, and reports itself", async () => {
  const { coordinator, generation, lifecycle, exit, session } = await startRun();
  expect(session.hello).toMatchObject({
    run_id: coordinator.runId,
    capacity: 3,
    config_digest: configDigest(smallConfig),
  });
  const spec = JSON.parse(session.hello.environment_spec_json) as EnvironmentSpec;
  expect(spec.id).toBe("CartPole-v1");
  const snapshot = tinyPolicy(spec, 0);
  const stored = new Promise<void>((resolve) => {
    const access = openNats([nats.address]);
    const options = { nats: access, runId: coordinator.runId, generation: () => generation, slots: 2, log };
    const publisher = new PolicyPublisher({ ...options, onPublished: () => resolve() });
    onTestFinished(() => publisher.close());
    publisher.start();
    publisher.publish(snapshot);
  });
  await stored;
  const policy = { version: 0, digest: snapshot.digest };
  for (const env_batch of [0, 1]) session.lease({ lease_id: env_batch + 1, env_batch, generation, policy });
  for (let i = 0; i < 2; i++) {
    const { key, actorId } = decodeRollout(await session.next("rollout"), smallConfig, spec);
    expect(key).toMatchObject({ runId: coordinator.runId, generation, round: 0, policyDigest: snapshot.digest });
    expect(actorId).toBe(session.hello.actor_id);
    session.send({ taken: { lease_id: key.envBatch + 1, outcome: "taken" } });
  }
  const member = await memberOnce(coordinator.client, (status) => status.newestPolicy === 0 && status.leases === 0);
  expect(member.status).toMatchObject({ workers: 2, usefulWorkers: 2, leases: 0, notReady: null, nats: true });
  const metrics = await metricsPage(member.metricsPort);
  expect(metrics).toContain("anchorage_actor_agent_steps_total 64"); // 2 rollouts of 2 environments x 16 steps
  expect(metrics).toContain('anchorage_actor_rollouts_total{outcome="taken"} 2');
  expect(Number(/worker_seconds_total\{part="idle"\} (\S+)/.exec(metrics)?.[1])).toBeGreaterThan(0);
  expect((await fetch(`http://127.0.0.1:${member.metricsPort}/readyz`)).status).toBe(200);
  lifecycle.stop({ kind: "signal", detail: "SIGTERM" });
  await session.ended;
  expect(await exit).toBe(0);
});

it("ends with 0 when the run is stopped through the coordinator", async () => {
  const { coordinator, exit } = await startRun();
  await coordinator.client.control("STOP");
  expect(await exit).toBe(0);
});

it("at work it goes on without the coordinator, for longer than coordinatorWaitSeconds", async () => {
  const { coordinator, session, generation, exit, lifecycle } = await startRun();
  await coordinator.stop();
  session.lease({ lease_id: 1, generation, policy: { version: 0, digest: "00".repeat(32) }, expires_in_ms: 500 });
  expect((await session.next("return_lease")).reason).toMatch(/^policy_unavailable/);
  lifecycle.stop({ kind: "signal", detail: "SIGTERM" });
  expect(await exit).toBe(0);
});

it("started without a coordinator, as after its run has ended, it says so after coordinatorWaitSeconds and ends", async () => {
  const deploy = DeployConfig.parse({ coordinator: "127.0.0.1:9", coordinatorWaitSeconds: 0.3 });
  await expect(runActor(deploy, new Lifecycle(log))).rejects.toThrow(
    /\[NETWORK\] No coordinator answered at 127\.0\.0\.1:9 within coordinatorWaitSeconds=0\.3 .*UNAVAILABLE.*If its run has ended/,
  );
});

it("ends at once, with 0, where it is stopped while it waits for the coordinator", async () => {
  const lifecycle = new Lifecycle(log);
  const exit = runActor(DeployConfig.parse({ coordinator: "127.0.0.1:9" }), lifecycle);
  lifecycle.stop({ kind: "signal", detail: "SIGTERM" });
  expect(await exit).toBe(0);
});

it("says so where the run's environment cannot be made", async () => {
  const runDir = await temporaryFolder();
  const coordinator = await startCoordinator({ runDir, config: { ...smallConfig, env: "./nowhere.ts" } });
  const exit = runActor(DeployConfig.parse({ coordinator: coordinator.address }), new Lifecycle(log));
  await expect(exit).rejects.toThrow(/ENVIRONMENT.*nowhere.ts does not exist/);
});

/** The actor as the coordinator knows it, once its heartbeat says so. */
async function memberOnce(
  client: Awaited<ReturnType<typeof startCoordinator>>["client"],
  holds: (status: Record<string, unknown>) => boolean,
): Promise<{ status: Record<string, unknown>; metricsPort: number }> {
  for (;;) {
    const { members } = await client.control("STATUS");
    const actor = members.find((member) => member.role === "ACTOR");
    const status = JSON.parse(actor?.status_json || "{}") as Record<string, unknown>;
    if (actor && holds(status)) return { status, metricsPort: Number(status.metricsPort) };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
