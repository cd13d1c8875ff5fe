import { setInterval as every } from "node:timers";
import type { EnvironmentSpec } from "../shared/environment.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import type { PolicySnapshot } from "../shared/policySnapshot.ts";
import { runShape } from "../shared/runConfig.ts";
import type { Admission } from "./admission.ts";
import { CheckpointKeeper, remedyOfUnstored } from "./checkpointKeeper.ts";
import { admissionOf, type Collecting, collectionOf, ingestOf, publisherOf } from "./collecting.ts";
import { EpisodeWindow } from "./episodeWindow.ts";
import { checkSamePolicy, Learner, type LearnerParts, type LearnerSettings } from "./learner.ts";
import { giveUpAfter, unlessStopped } from "./patience.ts";
import type { PolicyPublisher } from "./policyPublisher.ts";
import type { RunContext } from "./runContext.ts";
import type { Trainer, TrainerSettings } from "./trainer.ts";
import { checkReportable, UpdateReporter } from "./updateReporter.ts";

/** Wires the learner's parts together, trains, and ends as the run's end asks for. Gives the exit status. */
export async function trainRun(context: RunContext): Promise<number> {
  const { config, restored, stop, server, status, metrics, log, deploy } = context;
  const reproducible = {
    value: restored === null || (restored.checkpoint.metadata.reproducible && restored.differences.length === 0),
  };
  const admission = admissionOf(context, reproducible);
  const collecting = collectionOf(context);
  const publisher = publisherOf(context, collecting.collection);
  const ingest = ingestOf(context, admission, collecting.collection, publisher);
  server.open(ingest.collect);
  context.onOpen();
  status.ready = null;
  status.describe = () => describe(context, collecting, publisher, reproducible.value);
  metrics.reproducible.set(reproducible.value ? 1 : 0);

  const spec = await unlessStopped(admission.spec, stop);
  if (spec === null) {
    ingest.drain("the learner is stopping", false);
    return 0;
  }
  const trainer = context.makeTrainer(trainerSettings(context, spec));
  context.lifecycle.onClose("trainer", () => trainer.close());
  const policies = await firstPolicies(trainer, context);
  checkReportable(policies.at(-1)!, config.network);
  publisher.start();
  const stopExpiry = expireLeases(context, collecting);
  const parts = { ...collecting, ...bookkeeping(context), trainer, publisher, metrics, log };
  status.describe = () => ({
    ...describe(context, collecting, publisher, reproducible.value),
    reportsWaiting: parts.reporter.waiting, // above 0 for long: the coordinator is away, or its disk is full
    checkpointWaiting: parts.keeper.waiting,
  });
  const saveNothing = (): void => {
    parts.keeper.close();
    parts.reporter.close();
    ingest.drain("another learner took the run over", false);
  };
  context.superseded.addEventListener("abort", saveNothing, { once: true });
  const learner = new Learner(parts, learnerSettings(context, admission, reproducible, spec, policies));
  try {
    const end = await learner.run(stop, context.superseded);
    await unlessGivenUp(parts, learner, end, giveUpAfter(stop, deploy.drainSeconds));
    const finished = end === "finished";
    ingest.drain(
      finished ? "the run is finished" : "the learner is stopping",
      finished || context.member.state === "STOPPING",
    );
    if (finished) await publisher.removeStream();
    log.info(finished ? `finished: ${runShape(config).rounds} updates` : "stopped; the run can be resumed");
    return 0;
  } catch (error) {
    // The coordinator tells the actors whether the run is over; a learner that takes its place finds them waiting.
    ingest.drain(`the learner failed: ${messageOf(error)}`, false);
    throw error;
  } finally {
    stopExpiry();
    parts.keeper.close();
    parts.reporter.close();
  }
}

/**
 * The last checkpoint is stored first, then the end is reported: a finished run has its final checkpoint. Throws BUSY where
 * it gives up before: whoever keeps this process running starts it again.
 */
async function unlessGivenUp(parts: LearnerParts, learner: Learner, end: "finished" | "stopped", giveUp: AbortSignal) {
  const { reporter } = parts;
  const before = reporter.done;
  const backlog = (): string => backlogOf(reporter, reporter.done - before);
  await parts.keeper.stored(giveUp, backlog);
  if (end === "finished") learner.reportFinished();
  const gaveUp = new Promise<true>((resolve) => giveUp.addEventListener("abort", () => resolve(true), { once: true }));
  if (await Promise.race([reporter.delivered().then(() => false), gaveUp]))
    throw new OperatorError(
      "BUSY",
      `The run's end could not be recorded within drainSeconds: ${backlog()}.`,
      remedyOfUnstored,
    );
}

/** What of a learner that ends is not recorded, and why; `taken`: of the reports that waited when it began to end. */
function backlogOf({ waiting, unrecorded }: UpdateReporter, taken: number): string {
  const [first, last] = unrecorded ?? [0, 0];
  const what = first === last ? `update ${first} is` : `updates ${first} to ${last} are`;
  const why =
    taken > 0
      ? `the coordinator took ${taken} reports meanwhile, and ${waiting} still wait for it`
      : "the coordinator took no report meanwhile: it is away, or its disk is full";
  return `${what} not recorded; ${why}`;
}

function bookkeeping({ client, log, metrics, restored }: RunContext) {
  const window = restored?.checkpoint.metadata;
  return {
    keeper: new CheckpointKeeper(client, log, metrics),
    reporter: new UpdateReporter(client, log, metrics),
    episodes: new EpisodeWindow(window?.episodeWindow, window?.episodes),
  };
}

function trainerSettings({ runId, config, deploy }: RunContext, spec: EnvironmentSpec): TrainerSettings {
  return { runId, config, spec, device: deploy.device, threads: deploy.learnerThreads, onednn: deploy.onednn };
}

/** Fresh or given weights, or the checkpoint's: then the stored versions, after checking that the weights give the newest of them. */
async function firstPolicies(
  trainer: Trainer,
  { restored, initial }: Pick<RunContext, "restored" | "initial">,
): Promise<readonly PolicySnapshot[]> {
  const snapshot = await trainer.initialise(restored?.checkpoint.trainer ?? null, initial);
  if (restored === null) return [snapshot];
  const { policies } = restored.checkpoint;
  // Another build, which was accepted, may write the same policy as other bytes.
  if (restored.differences.length === 0) checkSamePolicy(snapshot, policies.at(-1)!);
  return policies;
}

function learnerSettings(
  context: RunContext,
  admission: Admission,
  reproducible: { value: boolean },
  spec: EnvironmentSpec,
  policies: readonly PolicySnapshot[],
): LearnerSettings {
  const { runId, config, fingerprint, build, member, deploy, restored } = context;
  return {
    runId,
    config,
    spec,
    fingerprint,
    build,
    generation: () => member.generation,
    actorFingerprint: () => admission.actorFingerprint,
    workedWith: () => admission.workedWith,
    reproducible: () => reproducible.value,
    checkpointEvery: deploy.checkpointEvery,
    policies,
    weightsSha256: restored?.checkpoint.metadata.weightsSha256 ?? "",
  };
}

/** Takes overdue leases away, has late ones insured, and keeps the gauges current. Gives what ends it. */
function expireLeases({ deploy, metrics, log }: RunContext, collecting: Collecting): () => void {
  const { collection, rounds, leases, ...clocks } = collecting;
  let backups = 0;
  let told = performance.now();
  const tick = (): void => {
    clocks.learnerWait.total(); // brings the counters up to now: a wait that lasts must show while it lasts
    clocks.actorsWait.total();
    const late = collection.expire();
    if (late > 0) log.warn(`${late} leases were not answered within ${deploy.leaseSeconds} s`);
    metrics.leasesExpired.inc(late);
    if (performance.now() - told > Math.max(10, deploy.leaseSeconds) * 1000) {
      told = performance.now();
      for (const line of collection.unanswered()) log.error(line);
    }
    if (leases.backups > backups) log.info(`late leases given to a second actor: ${leases.backups - backups}`);
    metrics.backupsGranted.inc(leases.backups - backups);
    backups = leases.backups;
    metrics.actors.set(leases.actors);
    metrics.leases.set(leases.outstanding);
    metrics.capacity.set(leases.capacity);
    metrics.oldestLease.set(leases.oldestSeconds);
    metrics.rolloutsUntrained.set(rounds.untrained);
  };
  const timer = every(tick, Math.min(250, deploy.leaseSeconds * 250));
  return () => clearInterval(timer);
}

function describe(
  { config, member }: RunContext,
  { rounds, leases, learnerWait, actorsWait }: Collecting,
  publisher: PolicyPublisher,
  reproducible: boolean,
) {
  const { envBatches, rounds: total } = runShape(config);
  const [learnerSeconds, actorsSeconds] = [learnerWait.total(), actorsWait.total()];
  return {
    updates: rounds.updatesDone,
    ofUpdates: total,
    generation: member.generation,
    actors: leases.actors,
    leases: leases.outstanding,
    wantedLeases: leases.capacity,
    usefulLeases: envBatches, // more workers than this find nothing to do
    learnerWaitSeconds: learnerSeconds,
    actorsWaitSeconds: actorsSeconds,
    waits: leases.actors === 0 ? "no actors" : learnerSeconds > actorsSeconds ? "learner waits" : "actors wait",
    nats: publisher.connected,
    reproducible,
  };
}
