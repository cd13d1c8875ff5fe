import { Registry } from "prom-client";
import type { RunState__Output as RunState } from "../proto/gen/anchorage/v1/RunState.ts";
import { buildId } from "../shared/build.ts";
import { CoordinatorClient } from "../shared/coordinatorClient.ts";
import type { DeployConfig } from "../shared/deployConfig.ts";
import type { Fingerprint } from "../shared/fingerprint.ts";
import { type Lifecycle, processLifecycle } from "../shared/lifecycle.ts";
import { type Logger, logger } from "../shared/log.ts";
import { startMetricsServer } from "../shared/metricsServer.ts";
import { type NatsAccess, natsAccess } from "../shared/natsConnection.ts";
import { type PortRefusals, portRefusals } from "../shared/portRefusals.ts";
import type { RunConfig } from "../shared/runConfig.ts";
import { RunMember } from "../shared/runMember.ts";
import { servedRun } from "../shared/servedRun.ts";
import { Transport } from "../shared/transport.ts";
import { reportFailure } from "./failureReport.ts";
import { learnerFingerprint } from "./learnerFingerprint.ts";
import { type LearnerMetrics, learnerMetrics } from "./metrics.ts";
import { onlyLearner } from "./onlyLearner.ts";
import { initialFile, restore } from "./restore.ts";
import type { LearnerStatus, RunContext } from "./runContext.ts";
import { advertisedAddress, type LearnerServer, listenForActors } from "./server.ts";
import type { Trainer, TrainerSettings } from "./trainer.ts";
import { trainRun } from "./trainRun.ts";

export interface RunLearnerOptions {
  /** Default: that of this process. */
  readonly lifecycle?: Lifecycle;
  /** Default: TensorFlow in a worker thread. */
  readonly makeTrainer?: (settings: TrainerSettings) => Trainer;
  /** Told once actors are let in. */
  readonly onReady?: (serving: { readonly address: string; readonly metricsPort: number }) => void;
  /** Default: of this machine and its TensorFlow. */
  readonly fingerprint?: (config: RunConfig) => Fingerprint;
}

/**
 * The learner process: registers with the coordinator, unless another one is at work, restores the newest checkpoint if there is one, lets actors in and
 * trains. Resolves with 0 when the run is finished, or stopped with its checkpoint stored. Rejects with an OperatorError
 * otherwise; if another learner took the run over, nothing is saved.
 */
export async function runLearner(deploy: DeployConfig, options: RunLearnerOptions = {}): Promise<number> {
  const log = logger("learner");
  const lifecycle = options.lifecycle ?? processLifecycle(log);
  const registry = new Registry();
  const metrics = learnerMetrics(registry);
  const refusals = portRefusals(registry, "learner", log);
  const status: LearnerStatus = { ready: "not registered with the coordinator yet", describe: () => ({}) };
  try {
    const transport = Transport.of(deploy, "learner");
    const client = new CoordinatorClient(deploy.coordinator, { log, transport });
    lifecycle.onClose("coordinator client", () => client.close());
    const server = await listenForActors(deploy, transport, refusals);
    // Cutting a link that swallows everything never ends: 3 s are enough for every other one.
    lifecycle.onClose("gRPC server", server.grpc.close, 3_000);
    const address = advertisedAddress(deploy.learnerAdvertise, server.grpc.address);
    const http = {
      host: deploy.metricsHost,
      port: deploy.learnerMetricsPort,
      registry,
      role: "learner",
      ready: () => status.ready,
      refusals,
    } as const;
    const metricsServer = await startMetricsServer(http);
    lifecycle.onClose("metrics server", () => metricsServer.close());
    log.info(`actors: ${address}, metrics: http://${metricsServer.host}:${metricsServer.port}/metrics`);

    const { config, run } = await servedRun(client, deploy, lifecycle.stopping);
    metricsServer.label(run.run_id);
    await onlyLearner(run, client, deploy, lifecycle.stopping, log);
    const nats = natsAccess(deploy.nats ?? run.nats, transport, deploy);
    const fingerprint = (options.fingerprint ?? ((of) => learnerFingerprint(deploy, of)))(config);
    const member = await RunMember.join(
      client,
      {
        role: "LEARNER",
        fingerprint,
        learnerAddress: address,
        metricsPort: metricsServer.port,
        heartbeatSeconds: deploy.heartbeatSeconds,
        status: () => ({ ...status.describe(), metricsHost: metricsServer.host, metricsPort: metricsServer.port }),
        log,
      },
      deploy,
      lifecycle.stopping,
    );
    lifecycle.onClose("membership", () => member.stop());
    const onOpen = (): void => options.onReady?.({ address, metricsPort: metricsServer.port });
    const context = {
      deploy,
      config,
      fingerprint,
      nats,
      client,
      member,
      server,
      metrics,
      refusals,
      log,
      lifecycle,
      status,
      onOpen,
    };
    return await asMember(context, options);
  } catch (error) {
    if (lifecycle.stopping.aborted && isAbort(error, lifecycle)) return 0; // stopped before there was anything to save
    throw error;
  } finally {
    await lifecycle.close();
  }
}

interface MemberContext {
  readonly deploy: DeployConfig;
  readonly config: RunConfig;
  readonly fingerprint: Fingerprint;
  readonly nats: NatsAccess;
  readonly client: CoordinatorClient;
  readonly member: RunMember;
  readonly server: LearnerServer;
  readonly metrics: LearnerMetrics;
  readonly refusals: PortRefusals;
  readonly log: Logger;
  readonly lifecycle: Lifecycle;
  readonly status: LearnerStatus;
  readonly onOpen: () => void;
}

/** From the registration to the end of the run, whichever end that is. */
async function asMember(context: MemberContext, options: RunLearnerOptions): Promise<number> {
  const { deploy, config, fingerprint, client, member, lifecycle, log } = context;
  const run = member.registration.run!;
  log.info(
    `learner of run ${run.run_id}, generation ${member.generation}, computing on ${fingerprint.learner?.device}`,
  );
  if (isOver(run.state)) {
    log.info(`the run is ${run.state.toLowerCase()} already: nothing to do`);
    return 0;
  }
  const superseded = new AbortController();
  const lost = new Promise<never>((_, reject) => {
    member.once("lost", (error) => {
      superseded.abort(error);
      reject(error);
    });
  });
  lost.catch(() => undefined); // raced below; it may come when nobody races any more
  const terms = {
    runId: run.run_id,
    config,
    fingerprint,
    acceptOtherFingerprint: deploy.otherFingerprint === "accept",
  };
  const stop = stopSignal(context);
  member.start(); // a large checkpoint takes longer than the coordinator's patience with a silent member
  const restored = await restore(client, run.newest_checkpoint, terms, lifecycle.stopping, log);
  const initial = restored === null ? await initialFile(client, config, lifecycle.stopping) : null;
  const makeTrainer = options.makeTrainer ?? (await tensorflowTrainer());
  const runContext: RunContext = {
    ...context,
    runId: run.run_id,
    build: buildId(),
    restored,
    initial,
    stop,
    superseded: superseded.signal,
    makeTrainer,
  };
  const training = trainRun(runContext);
  training.catch(() => undefined); // if `lost` wins the race, what becomes of it does not matter
  try {
    return await Promise.race([training, lost]);
  } catch (error) {
    throw await reportFailure(context, error);
  }
}

/** Aborts when this learner is to save and end: asked by the process's signals or through the coordinator. */
function stopSignal({ member, lifecycle }: MemberContext): AbortSignal {
  const asked = new AbortController();
  member.on("state", (state) => {
    if (state === "STOPPING" || isOver(state)) asked.abort(new Error(`the run is ${state.toLowerCase()}`));
  });
  if (member.state === "STOPPING") asked.abort(new Error("the run is stopping"));
  return AbortSignal.any([asked.signal, lifecycle.stopping]);
}

function isOver(state: RunState): boolean {
  return state === "FINISHED" || state === "FAILED";
}

/** TensorFlow is loaded only by a process that trains. */
async function tensorflowTrainer(): Promise<(settings: TrainerSettings) => Trainer> {
  const { TrainerThread } = await import("./trainerThread.ts");
  return (settings) => new TrainerThread(settings);
}

function isAbort(error: unknown, { stopping }: Lifecycle): boolean {
  return error === stopping.reason || (error instanceof Error && error.name === "AbortError");
}
