import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Registry } from "prom-client";
import { coordinatorProto } from "../proto/load.ts";
import type { DeployConfig } from "../shared/deployConfig.ts";
import { OperatorError } from "../shared/errors.ts";
import { startGrpcServer } from "../shared/grpcServer.ts";
import { Lifecycle } from "../shared/lifecycle.ts";
import { type Logger, logger } from "../shared/log.ts";
import { startMetricsServer } from "../shared/metricsServer.ts";
import { portRefusals } from "../shared/portRefusals.ts";
import type { RunConfig } from "../shared/runConfig.ts";
import { hostOf, isLoopback, Transport } from "../shared/transport.ts";
import { CheckpointStore } from "./checkpointStore.ts";
import { CheckpointStreams } from "./checkpointStreams.ts";
import { controlToken } from "./controlToken.ts";
import { coordinatorBounds, coordinatorLimits } from "./limits.ts";
import { Membership, type MembershipOptions } from "./membership.ts";
import { type CoordinatorMetrics, coordinatorMetrics } from "./metrics.ts";
import { MetricsLog } from "./metricsLog.ts";
import { type Launch, type Page, type PageOptions, startPage } from "./page/page.ts";
import { observeRun } from "./runGauges.ts";
import { type OpenRun, openRun, type Resume } from "./runStore.ts";
import { coordinatorAccess, coordinatorHandlers } from "./service.ts";
import { TensorboardLog } from "./tensorboard.ts";
import { TrainingRun } from "./trainingRun.ts";
import { Watchers } from "./watch.ts";

export interface CoordinatorOptions {
  readonly runDir: string;
  readonly resume: Resume;
  /** How this process stops; default: only with the run. */
  readonly lifecycle?: Lifecycle;
  /** Told once it serves. */
  readonly onReady?: (serving: {
    readonly address: string;
    readonly metricsPort: number;
    readonly page: string; // its URL; "": there is none
    readonly runId: string;
  }) => void;
  /** How the page starts `watch` and `evaluate`; default: it has neither. */
  readonly launch?: Launch;
  /** Keep serving the ended run until the lifecycle stops, as where a supervisor would start an exited process again. */
  readonly stay?: boolean;
  /** How long an ended run is still served for members and watchers to learn of it. */
  readonly lingerMs?: number;
  /** Who started it follows the run by Watch, perhaps after a pause, and has to hear of its end. */
  readonly followed?: boolean;
}

/** How a coordinator's work ended; RUNNING or PAUSED: it was told to stop, the run was not. */
export interface CoordinatorOutcome {
  readonly state: "RUNNING" | "PAUSED" | "STOPPING" | "FINISHED" | "FAILED";
  readonly failure: string;
  readonly updates: number;
  readonly agentSteps: number;
  readonly weightsSha256: string;
}

/** Owns one run until it ends or the lifecycle stops. Throws OperatorErrors for what is wrong at the start. */
export async function runCoordinator(
  deploy: DeployConfig,
  config: RunConfig | null,
  options: CoordinatorOptions,
): Promise<CoordinatorOutcome> {
  const log = logger("coordinator");
  const lifecycle = options.lifecycle ?? new Lifecycle(log);
  try {
    const lockLost = new AbortController();
    const run = await assemble(deploy, config, options, lifecycle, (error) => lockLost.abort(error));
    await untilDone(run, options, AbortSignal.any([lifecycle.stopping, lockLost.signal]), lifecycle);
    if (lockLost.signal.aborted) throw lockLost.signal.reason as OperatorError;
    const { last } = run.parts.metricsLog;
    const { state, failure, weightsSha256 } = run.state;
    return { state, failure, weightsSha256, updates: last?.update ?? 0, agentSteps: last?.agent_steps ?? 0 };
  } finally {
    await lifecycle.close();
  }
}

/** From the disk up to the network; what is made is released in reverse order by the lifecycle. */
async function assemble(
  deploy: DeployConfig,
  config: RunConfig | null,
  options: CoordinatorOptions,
  lifecycle: Lifecycle,
  onLockLost: (error: OperatorError) => void,
): Promise<TrainingRun> {
  const log = logger("coordinator");
  const registry = new Registry();
  const metrics = coordinatorMetrics(registry);
  const refusals = portRefusals(registry, "coordinator", log);

  const transport = Transport.of(deploy, "coordinator");
  transport.check("coordinatorListen", deploy.coordinatorListen);
  const onStale = (error: OperatorError): void => {
    metrics.storageFailures.inc();
    log.error(error.message);
  };
  const lock = { onLost: onLockLost, onStale };
  const store = await openRun({ runDir: options.runDir, config, resume: options.resume, lock });
  let serving = false; // until then nobody knows of a new run, and one that cannot be served is none
  lifecycle.onClose("run folder", () => (serving || !store.created ? store.close() : store.discard()));
  const checkpoints = await CheckpointStore.open(join(store.folder, "checkpoints"), deploy.checkpointsKept, log, {
    onDamaged: () => metrics.checkpointsDamaged.inc(),
  });
  refuseLost(store, checkpoints);
  const metricsLog = await MetricsLog.open(store.folder, log);
  lifecycle.onClose("metrics.jsonl", () => metricsLog.close());
  const tensorboard = await TensorboardLog.open(store.folder, metricsLog);
  lifecycle.onClose("TensorBoard events", () => tensorboard.close());

  const updates = (): number => metricsLog.last?.update ?? 0;
  const members = new Membership({ ...membershipTerms(deploy, metrics), state: store.state, updates, log });
  const nats = natsToTell(deploy, log);
  const run = new TrainingRun({ store, checkpoints, metricsLog, tensorboard, members, metrics, nats, log });
  const watchers = new Watchers(run);
  let page: Page | null = null;
  observeRun(registry, run, { watchers: () => watchers.open, viewers: () => page?.viewers() ?? 0 });

  const ready = (): string | null => (lifecycle.reason === null ? null : "stopping");
  const http = { host: deploy.metricsHost, port: deploy.coordinatorMetricsPort, ready, refusals };
  const metricsServer = await startMetricsServer({ ...http, registry, role: "coordinator", runId: store.run.runId });
  lifecycle.onClose("metrics server", metricsServer.close);
  run.metricsPort = metricsServer.port;
  const token = controlToken(store.folder, deploy.controlToken);
  const handlers = coordinatorHandlers(run, new CheckpointStreams(run), watchers, refusals);
  const server = await startGrpcServer({
    what: "The coordinator",
    listen: deploy.coordinatorListen,
    name: "anchorage.v1.Coordinator",
    service: coordinatorProto.Coordinator.service,
    handlers,
    transport,
    setting: "coordinatorListen",
    access: coordinatorAccess,
    operatorToken: token,
    guard: { limits: coordinatorLimits, bounds: coordinatorBounds, maxConnections: deploy.maxConnections, refusals },
  });
  lifecycle.onClose("gRPC server", server.close);
  lifecycle.onClose("watchers", () => watchers.close());
  if (deploy.page !== "off")
    page = await servePage(
      { deploy, transport, token, run, refusals, ...howStarted(options, server.address) },
      lifecycle,
    );
  serving = true;

  const { runId } = store.run;
  const reachedAt = { address: server.address, page: run.page };
  log.info(
    { runId, folder: store.folder, updates: updates(), ...reachedAt, metrics: metricsServer.port },
    store.created ? "new run" : "run opened",
  );
  options.onReady?.({ ...reachedAt, metricsPort: metricsServer.port, runId });
  return run;
}

const howStarted = ({ launch, followed = false, stay = false }: CoordinatorOptions, address: string) => ({
  launch: launch ?? null,
  start: { followed, stay, address },
});

async function servePage(options: Omit<PageOptions, "log">, lifecycle: Lifecycle): Promise<Page> {
  const page = await startPage({ ...options, log: logger("coordinator.page") });
  lifecycle.onClose("page", page.close);
  options.run.page = page.url;
  return page;
}

function membershipTerms(deploy: DeployConfig, metrics: CoordinatorMetrics) {
  const expireMs = Math.max(leastSilenceMs, deploy.heartbeatSeconds * 1000 * missedHeartbeats);
  return { expireMs, maxMembers: deploy.maxMembers, onGone: memberGone(metrics) };
}

/** Counts who leaves. */
function memberGone({ expired, lifetime }: CoordinatorMetrics): MembershipOptions["onGone"] {
  return (role, how, seconds) => {
    const member_role = role === "LEARNER" ? "learner" : "actor";
    lifetime.observe({ member_role }, seconds);
    if (how === "silent") expired.inc({ member_role });
  };
}

const defaultNats = "127.0.0.1:4222";

/** What members without a `nats` of their own are told. Warns where those on other hosts could not reach it. */
function natsToTell({ nats, coordinatorListen: listen }: DeployConfig, log: Logger): string {
  const told = nats ?? defaultNats;
  if (!isLoopback(hostOf(listen)) && isLoopback(hostOf(told)))
    log.warn(
      `members on other hosts may come to ${listen} and are told nats=${told}, which is this host's own: set --nats HOST:PORT here, or at each of them`,
    );
  return told;
}

/** A run that has lost its checkpoints must not begin afresh as if it were new. Throws CORRUPT. */
function refuseLost({ state, folder }: OpenRun, checkpoints: CheckpointStore): void {
  const { checkpointed, state: now } = state.current;
  if (!checkpointed || now === "FINISHED" || checkpoints.newestUpdate > 0) return;
  const problem = `Checkpoints of this run were stored, and there is none in ${join(folder, "checkpoints")} now.`;
  throw new OperatorError("CORRUPT", problem, "Restore one from a backup (.ckpt and .json), or start a new run.");
}

/** Silence after which a member is forgotten, in heartbeats; never under 5 s: a busy machine is no dead one. */
const missedHeartbeats = 5;
const leastSilenceMs = 5_000;
const lookEveryMs = 500;

/** Until the run is over and everyone has heard of it, or `halt` aborts. */
async function untilDone(
  run: TrainingRun,
  options: CoordinatorOptions,
  halt: AbortSignal,
  lifecycle: Lifecycle,
): Promise<void> {
  const { members } = run.parts;
  let overSince: number | null = null;
  while (!halt.aborted) {
    members.expire();
    if (run.over && overSince === null) {
      overSince = performance.now();
      run.emit("changed"); // a silent learner's end is no event of its own
    }
    const everyoneKnows = members.count("ACTOR") + members.count("LEARNER") === 0 && (!options.followed || run.endTold);
    const lingered = overSince !== null && performance.now() - overSince > (options.lingerMs ?? 10_000);
    if (overSince !== null && options.stay !== true && (everyoneKnows || lingered)) return;
    await sleep(lookEveryMs, undefined, { signal: halt }).catch(() => undefined); // aborted: the loop ends
  }
  if (lifecycle.reason?.kind === "parent") await stopOrphans(run);
}

const orphanDrainMs = 15_000;

/** `train` was killed: its learner and actors end, too; the learner's last checkpoint is still taken. */
async function stopOrphans(run: TrainingRun): Promise<void> {
  if (!run.over) await run.control("STOP");
  const giveUp = performance.now() + orphanDrainMs;
  for (; !run.over && performance.now() < giveUp; await sleep(lookEveryMs)) run.parts.members.expire();
}
