import { availableParallelism } from "node:os";
import { Registry } from "prom-client";
import type { Run__Output as Run } from "../proto/gen/anchorage/v1/Run.ts";
import { buildId } from "../shared/build.ts";
import { CoordinatorClient } from "../shared/coordinatorClient.ts";
import type { DeployConfig } from "../shared/deployConfig.ts";
import { type Fingerprint, fingerprint } from "../shared/fingerprint.ts";
import { type Lifecycle, processLifecycle } from "../shared/lifecycle.ts";
import { type Logger, logger } from "../shared/log.ts";
import { startMetricsServer } from "../shared/metricsServer.ts";
import { natsAccess } from "../shared/natsConnection.ts";
import { policySlots } from "../shared/policySnapshot.ts";
import { type PortRefusals, portRefusals } from "../shared/portRefusals.ts";
import { canonicalJson, type RunConfig, runShape } from "../shared/runConfig.ts";
import { RunMember } from "../shared/runMember.ts";
import { servedRun } from "../shared/servedRun.ts";
import { Transport } from "../shared/transport.ts";
import { Collector } from "./collector.ts";
import { LeaseRunner } from "./leaseRunner.ts";
import { type ActorMetrics, actorMetrics } from "./metrics.ts";
import { PolicyReceiver } from "./policyReceiver.ts";
import { RolloutPool } from "./rolloutPool.ts";

/** What the whole process shares while it is an actor of a run. */
interface Actor {
  readonly deploy: DeployConfig;
  readonly run: Run;
  readonly config: RunConfig;
  readonly client: CoordinatorClient;
  readonly transport: Transport;
  readonly metrics: ActorMetrics;
  readonly refusals: PortRefusals;
  readonly metricsPort: number;
  readonly log: Logger;
  readonly lifecycle: Lifecycle;
}

/**
 * The actor process: gets the run from the coordinator, makes the environments, and collects rollouts until the run is
 * over or it is told to stop; then it finishes or gives back its leases. Resolves with 0; rejects with an OperatorError.
 */
export async function runActor(deploy: DeployConfig, given?: Lifecycle): Promise<number> {
  const log = logger("actor");
  const lifecycle = given ?? processLifecycle(log);
  const state = {
    notReady: (): string | null => "not registered with the coordinator yet",
    accountIdle: (): void => {},
  };
  try {
    const transport = Transport.of(deploy, "actor");
    const client = new CoordinatorClient(deploy.coordinator, { log, transport });
    lifecycle.onClose("coordinator client", () => client.close());
    const registry = new Registry();
    const metrics = actorMetrics(registry, () => state.accountIdle());
    const refusals = portRefusals(registry, "actor", log);
    const ready = (): string | null => state.notReady();
    const http = {
      host: deploy.metricsHost,
      port: deploy.actorMetricsPort,
      registry,
      role: "actor",
      ready,
      refusals,
    } as const;
    const metricsServer = await startMetricsServer(http);
    lifecycle.onClose("metrics server", () => metricsServer.close());
    log.info(`metrics: http://${metricsServer.host}:${metricsServer.port}/metrics`);
    const { run, config } = await servedRun(client, deploy, lifecycle.stopping);
    metricsServer.label(run.run_id);
    const actor = {
      deploy,
      run,
      config,
      client,
      transport,
      metrics,
      refusals,
      metricsPort: metricsServer.port,
      log,
      lifecycle,
    };
    return await work(actor, (collector, runner) => {
      state.notReady = () => collector.notReady;
      state.accountIdle = () => runner.slots.account();
    });
  } catch (error) {
    if (lifecycle.stopping.aborted && isAbort(error, lifecycle)) return 0; // stopped before there was anything to give back
    throw error;
  } finally {
    await lifecycle.close();
  }
}

async function work(actor: Actor, onStarted: (collector: Collector, runner: LeaseRunner) => void): Promise<number> {
  const { deploy, run, config, client, transport, metrics, refusals, metricsPort, log, lifecycle } = actor;
  const nats = natsAccess(deploy.nats ?? run.nats, transport, deploy);
  const workers = workerCount(deploy, config, log);
  const pool = await RolloutPool.start(config, workers);
  lifecycle.onClose("rollout workers", () => pool.close());
  metrics.workers.set(workers);
  const slots = policySlots(config.policyLag, config.maxPolicyLag);
  const onBytes = (bytes: number): void => metrics.policyBytes.inc(bytes);
  const policies = new PolicyReceiver({ nats, runId: run.run_id, slots, log, refusals, onBytes });
  lifecycle.onClose("policy receiver", () => policies.close());
  policies.start();

  const own = fingerprint(null);
  const status = (): object => ({
    ...describe(collector, runner, policies, config),
    metricsHost: deploy.metricsHost,
    metricsPort,
  });
  const membership = { role: "ACTOR", fingerprint: own, learnerAddress: "", metricsPort, status, log } as const;
  const member = await RunMember.join(
    client,
    { ...membership, heartbeatSeconds: deploy.heartbeatSeconds },
    deploy,
    lifecycle.stopping,
  );
  lifecycle.onClose("membership", () => member.stop());
  const runner = new LeaseRunner({
    runId: run.run_id,
    config,
    pool,
    policies,
    actorId: () => member.memberId,
    metrics,
    log,
  });
  const collector = new Collector({
    runner,
    hello: () => hello(member, run, pool, own),
    learnerAddress: () => member.learnerAddress,
    transport,
    drainMs: deploy.drainSeconds * 1000,
    metrics,
    log,
  });
  onStarted(collector, runner);
  await untilOver(member, collector, lifecycle);
  return 0;
}

/** Collects while the coordinator wants it: a run that stops, ends or changes hands ends this actor. */
async function untilOver(member: RunMember, collector: Collector, lifecycle: Lifecycle): Promise<void> {
  const ended = (state: string): boolean => state === "FINISHED" || state === "FAILED" || state === "STOPPING";
  if (ended(member.state)) return;
  member.on("state", (state) => {
    if (ended(state)) collector.finish();
  });
  member.on("learner", () => collector.learnerMoved());
  const lost = new Promise<never>((_, reject) => {
    member.once("lost", reject);
  });
  lost.catch(() => undefined); // raced below; it may come when nobody races any more
  member.start();
  try {
    await Promise.race([collector.run(lifecycle.stopping), lost]);
  } finally {
    collector.finish();
  }
}

function hello(member: RunMember, run: Run, pool: RolloutPool, own: Fingerprint) {
  return {
    run_id: run.run_id,
    actor_id: member.memberId,
    capacity: pool.workers + 1, // one more than can run, so that no worker waits for the way to the learner and back
    build: buildId(),
    fingerprint_json: JSON.stringify(own),
    environment_spec_json: canonicalJson(pool.spec),
    config_digest: run.config_digest,
  };
}

/** What the heartbeats tell of this actor. */
function describe(collector: Collector, runner: LeaseRunner, policies: PolicyReceiver, config: RunConfig): object {
  return {
    workers: runner.slots.size,
    usefulWorkers: runShape(config).envBatches,
    busyWorkers: runner.slots.busy,
    leases: collector.leases,
    notReady: collector.notReady,
    nats: policies.connected,
    newestPolicy: policies.newestVersion,
    agentSteps: runner.agentSteps, // the page makes a rate of it
  };
}

/** One worker per core, no more than a round has EnvBatches: others would never have anything to do. */
function workerCount(deploy: DeployConfig, config: RunConfig, log: Logger): number {
  const wanted = deploy.actorWorkers ?? availableParallelism();
  const { envBatches } = runShape(config);
  if (wanted <= envBatches) return wanted;
  log.info(`${envBatches} rollout workers instead of ${wanted}: a round has ${envBatches} EnvBatches`);
  return envBatches;
}

function isAbort(error: unknown, { stopping }: Lifecycle): boolean {
  return error === stopping.reason || (error instanceof Error && error.name === "AbortError");
}
