import { Registry } from "prom-client";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { Collector } from "../../actor/collector.ts";
import { LeaseRunner } from "../../actor/leaseRunner.ts";
import { type ActorMetrics, actorMetrics } from "../../actor/metrics.ts";
import { PolicyReceiver } from "../../actor/policyReceiver.ts";
import { RolloutPool } from "../../actor/rolloutPool.ts";
import { PolicyPublisher } from "../../learner/policyPublisher.ts";
import { logger } from "../../shared/log.ts";
import { openNats } from "../../shared/natsConnection.ts";
import { resolveRunConfig } from "../../shared/presets.ts";
import type { Rollout } from "../../shared/rollout.ts";
import { decodeRollout } from "../../shared/rolloutCodec.ts";
import { Transport } from "../../shared/transport.ts";
import { NatsProcess } from "../learner/natsProcess.ts";
import { CountedRefusals } from "../shared/openGuard.ts";
import { TestLearner, type TestSession } from "./testLearner.ts";
import { tinyPolicy } from "./tinyPolicy.ts";

const log = logger("test");
export const runId = "run-7";
const slow = "test/actor/fixtures/slowEnvironment.ts";
export const configOf = (env: string, envOptions: Record<string, string | number> = {}) =>
  resolveRunConfig({ env, envOptions, envs: 8, envBatchSize: 2, rolloutSteps: 16, minibatches: 1, totalSteps: 1280 });

/** 16 steps of 2 environments of 4 ms: a rollout takes 130 ms. */
export const config = configOf(slow, { ms: 4 });
let nats: NatsProcess;
export let pool: RolloutPool;
let publisher: PolicyPublisher;
let policies: PolicyReceiver;
let stored: (version: number) => void = () => {};
export const policy = (version: number) => ({ version, digest: tinyPolicy(pool.spec, version).digest });

export async function publish(version: number): Promise<void> {
  const done = new Promise<void>((resolve) => {
    stored = (of) => void (of === version && resolve());
  });
  publisher.publish(tinyPolicy(pool.spec, version));
  await done;
}

export interface Running {
  readonly collector: Collector;
  readonly stopping: AbortController;
  readonly done: Promise<void>;
  readonly metrics: ActorMetrics;
}
export let learner: TestLearner;
export const running: Running[] = [];

/** Another learner process at the port of the one that was killed. */
export async function restartLearner(port: number): Promise<TestLearner> {
  learner = await TestLearner.listen(port);
  return learner;
}

/** Vitest's hooks: a NATS server, a pool of one worker and policy 0 for the file, a learner for each test. */
export function useCollectors(): void {
  beforeAll(async () => {
    nats = await (await NatsProcess.prepare()).start();
    pool = await RolloutPool.start(config, 1);
    const ours = { nats: openNats([nats.address]), runId, slots: 2, log };
    publisher = new PolicyPublisher({ ...ours, generation: () => 1, onPublished: ({ version }) => stored(version) });
    publisher.start();
    policies = new PolicyReceiver({ refusals: new CountedRefusals(), ...ours, liveMs: 1, needMs: 50 });
    policies.start();
    await publish(0);
  });
  afterAll(async () => {
    await policies?.close();
    await publisher?.close();
    await pool?.close();
    await nats?.dispose();
  });

  beforeEach(async () => {
    learner = await TestLearner.listen();
  });
  afterEach(async () => {
    for (const { collector, done } of running.splice(0)) {
      collector.finish();
      await done.catch(() => undefined); // a test that expects the error has seen it
    }
    learner.kill();
  });
}

/** An actor of one worker on this test's learner. */
export function start(options: { drainMs?: number; pool?: RolloutPool; address?: () => string } = {}): Running {
  const metrics = actorMetrics(new Registry());
  const of = options.pool ?? pool;
  const runner = new LeaseRunner({ runId, config, pool: of, policies, actorId: () => "actor-1", metrics, log });
  const collector = new Collector({
    runner,
    hello: () => ({ run_id: runId, actor_id: "actor-1", capacity: 2 }),
    learnerAddress: options.address ?? (() => learner.address),
    transport: Transport.plain,
    drainMs: options.drainMs ?? 5_000,
    metrics,
    log,
  });
  const stopping = new AbortController();
  const one = { collector, stopping, done: collector.run(stopping.signal), metrics };
  one.done.catch(() => undefined); // looked at later
  running.push(one);
  return one;
}

export async function rolloutOf(session: TestSession): Promise<Rollout> {
  return decodeRollout(await session.next("rollout"), config, pool.spec);
}

/** Lease 1 is being collected: a lease that came after it went back already. */
export async function begun(session: TestSession): Promise<void> {
  session.lease({ lease_id: 1, policy: policy(0) });
  session.lease({ lease_id: 99, env_batch: 3, policy: policy(0) });
  session.send({ revoke: { lease_id: 99, reason: "" } });
  await session.next("return_lease");
}
