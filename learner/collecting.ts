import type { EnvironmentSpec } from "../shared/environment.ts";
import { policySlots } from "../shared/policySnapshot.ts";
import { decodeRollout } from "../shared/rolloutCodec.ts";
import { configDigest, runShape } from "../shared/runConfig.ts";
import { Admission } from "./admission.ts";
import { Collection } from "./collection.ts";
import { Ingest } from "./ingest.ts";
import { Lateness } from "./lateness.ts";
import { LeaseBook } from "./leases.ts";
import { PolicyPublisher } from "./policyPublisher.ts";
import { RoundAssembly } from "./rounds.ts";
import type { RunContext } from "./runContext.ts";
import { WaitClock } from "./waitClock.ts";

/** The half of the learner that faces the actors: each part made for one run. */

export function collectionOf(context: RunContext) {
  const { config, runId, member, deploy, restored, metrics } = context;
  const now = (): number => performance.now();
  const learnerWait = new WaitClock(now, (seconds) => metrics.learnerWait.inc(seconds));
  const actorsWait = new WaitClock(now, (seconds) => metrics.actorsWait.inc(seconds));
  const rounds = new RoundAssembly({
    runId,
    generation: () => member.generation,
    config,
    updatesDone: restored?.checkpoint.metadata.updates ?? 0,
    starts: restored?.checkpoint.starts ?? null,
  });
  const leaseMs = deploy.leaseSeconds * 1000;
  // Async runs wait for no EnvBatch: a straggler delays nobody, and which of two rollouts came first would train.
  const insured = deploy.stragglerFactor !== null && config.policyLag !== "async";
  const lateness = insured ? new Lateness({ factor: deploy.stragglerFactor, leaseMs }) : null;
  const leases = new LeaseBook({ work: rounds, leaseMs, lateness, now });
  const { envBatches } = runShape(config);
  const onAnswered = (seconds: number): void => metrics.leaseSeconds.observe(seconds);
  const collection = new Collection({ rounds, leases, actorsWait, envBatches, now, onAnswered });
  metrics.roundRollouts.set(envBatches);
  metrics.policyLagLimit.set(config.policyLag === "async" ? config.maxPolicyLag : config.policyLag);
  metrics.checkpointInterval.set(deploy.checkpointEvery);
  const steer = (): void => {
    if (member.state === "PAUSED") collection.pause();
    else collection.resume();
  };
  steer();
  member.on("state", (state) => {
    context.log.info(`the run is ${state.toLowerCase()}`);
    steer();
  });
  return { rounds, leases, collection, learnerWait, actorsWait };
}
export type Collecting = ReturnType<typeof collectionOf>;

export function admissionOf(context: RunContext, reproducible: { value: boolean }): Admission {
  const { runId, config, build, restored, log, metrics } = context;
  return new Admission({
    runId,
    configDigest: configDigest(config),
    build,
    spec: restored?.checkpoint.metadata.environmentSpec ?? null,
    actorFingerprint: restored?.checkpoint.metadata.actorFingerprint ?? null,
    log,
    onNotReproducible: () => {
      reproducible.value = false;
      metrics.reproducible.set(0);
    },
  });
}

export function publisherOf(context: RunContext, collection: Collection): PolicyPublisher {
  const { runId, member, config, metrics, log, lifecycle } = context;
  const publisher = new PolicyPublisher({
    nats: context.nats,
    runId,
    generation: () => member.generation,
    slots: policySlots(config.policyLag, config.maxPolicyLag),
    log,
    onPublished: (snapshot, seconds) => {
      metrics.broadcastSeconds.observe(seconds);
      metrics.policyVersion.set(snapshot.version);
      metrics.policyBytes.set(snapshot.bytes.length);
      collection.policyPublished({ version: snapshot.version, digest: snapshot.digest });
    },
    onSent: (bytes) => metrics.broadcastBytes.inc(bytes),
    onRepublished: () => metrics.policiesRepublished.inc(),
    onConnection: (connected) => metrics.natsConnected.set(connected ? 1 : 0),
  });
  lifecycle.onClose("policy publisher", () => publisher.close());
  return publisher;
}

export function ingestOf(
  context: RunContext,
  admission: Admission,
  collection: Collection,
  publisher: PolicyPublisher,
): Ingest {
  const { runId, member, deploy, config, metrics, refusals, log } = context;
  let spec: EnvironmentSpec | null = null;
  void admission.spec.then((known) => {
    spec = known;
  });
  return new Ingest({
    runId,
    generation: () => member.generation,
    leaseMs: deploy.leaseSeconds * 1000,
    admission,
    collection,
    decode: (message) => {
      if (spec === null) throw new Error("a rollout was let in before the first hello");
      return decodeRollout(message, config, spec);
    },
    needPolicy: (version) => publisher.again(version),
    metrics,
    refusals,
    log,
  });
}
