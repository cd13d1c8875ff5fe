import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { closedCounter } from "../shared/closedCounter.ts";
import { returnReasons } from "../shared/returnReason.ts";
import type { Refusal } from "./admission.ts";
import type { Answered } from "./leases.ts";
import type { RolloutFault, StaleReason } from "./rounds.ts";
import { TrainingMetrics } from "./trainingMetrics.ts";

const seconds = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100];

/** What is wrong with a refused rollout: in its key, in its bytes (an error's code), or, `internal`, with this build. */
export const refusalReasons = [
  "run",
  "generation",
  "env_batch",
  "round",
  "policy",
  "policy_digest",
  "shape",
  "corrupt",
  "mismatch",
  "numeric",
  "internal",
] as const satisfies (RolloutFault | "shape" | "corrupt" | "mismatch" | "numeric" | "internal")[];
export type RefusalReason = (typeof refusalReasons)[number];

/** Every metric of the learner process, declared once; docs/metrics.md says the same at more length. */
export function learnerMetrics(registry: Registry) {
  return {
    ...progressMetrics(registry),
    ...broadcastMetrics(registry),
    ...collectionMetrics(registry),
    ...rolloutMetrics(registry),
    ...storageMetrics(registry),
    training: new TrainingMetrics(registry),
  };
}
export type LearnerMetrics = ReturnType<typeof learnerMetrics>;

function declare(registry: Registry) {
  const registers = [registry];
  const counter = (name: string, help: string) => new Counter({ name: `anchorage_learner_${name}`, help, registers });
  const closed = <Label extends string, const Value extends string>(
    name: string,
    help: string,
    label: Label,
    values: readonly Value[],
  ) => closedCounter(registry, `anchorage_learner_${name}`, help, label, values);
  const gauge = (name: string, help: string) => new Gauge({ name: `anchorage_learner_${name}`, help, registers });
  const histogram = (name: string, help: string) =>
    new Histogram({ name: `anchorage_learner_${name}`, help, buckets: seconds, registers });
  return { counter, closed, gauge, histogram };
}

/** How far the run is, what learning looks like, and who waits for whom. */
function progressMetrics(registry: Registry) {
  const { counter, gauge, histogram } = declare(registry);
  return {
    updates: gauge("updates", "Updates done, counted over resumes. Not rising: see the two wait counters."),
    agentSteps: gauge("agent_steps", "Agent steps trained on, counted over resumes. Atari frames are 4 times as many."),
    trainedSteps: counter(
      "trained_agent_steps_total",
      "Agent steps trained on by this process: its rate is the throughput. (agent_steps goes back on a resume.)",
    ),
    episodes: gauge(
      "episodes",
      "Raw episodes ended in trained rollouts. Not rising: episodes are longer than the run so far.",
    ),
    meanReturn: gauge(
      "mean_return",
      "Mean raw return of the last 100 episodes; NaN: none ended yet. Falling for long: learning diverges.",
    ),
    meanLength: gauge("mean_episode_length", "Mean length of the last 100 episodes, agent steps; NaN: none ended yet."),
    learnerWait: counter(
      "wait_seconds_total",
      "Seconds that the trainer had no whole round. Rising faster than actors_wait: the actors are the bottleneck, add actors.",
    ),
    actorsWait: counter(
      "actors_wait_seconds_total",
      "Seconds that the actors' useful credit had no lease, weighted by its share. Rising faster than wait_seconds: the learner is the bottleneck.",
    ),
    updateSeconds: histogram(
      "update_seconds",
      "Wall time of one update in TensorFlow. Growing: the machine is shared or throttled.",
    ),
    collectSeconds: histogram(
      "collect_seconds",
      "From a round's first lease to its last answer. Far above an actor's own rollout time: too few workers.",
    ),
  };
}

/** The policy's way to the actors. */
function broadcastMetrics(registry: Registry) {
  const { counter, gauge, histogram } = declare(registry);
  return {
    broadcastSeconds: histogram(
      "broadcast_seconds",
      "From a policy's making until NATS has stored it. Over 0.1 s a MB: NATS or its disk is slow.",
    ),
    broadcastBytes: counter("broadcast_bytes_total", "Bytes of policies that NATS has acknowledged, repeats included."),
    policyBytes: gauge("policy_bytes", "Size of the newest policy that NATS has stored."),
    policyVersion: gauge(
      "policy_version",
      "Newest version that NATS has stored. Behind anchorage_learner_updates: NATS is away or slow.",
    ),
    policyLag: gauge(
      "policy_lag",
      "Mean of update minus acting version over the newest round. Above the run's policyLag: only with async.",
    ),
    policyLagLimit: gauge(
      "policy_lag_limit",
      "The run's policyLag, or maxPolicyLag where it is async: policy_lag above it is a fault.",
    ),
    natsConnected: gauge("nats_connected", "1: linked to NATS. 0: new policies wait in memory, and collection stops."),
    policiesRepublished: counter(
      "policies_republished_total",
      "Versions stored again. Rising steadily: NATS restarts or loses storage.",
    ),
  };
}

/** Actors and leases. */
function collectionMetrics(registry: Registry) {
  const { counter, closed, gauge, histogram } = declare(registry);
  return {
    actors: gauge("actors", "Actors connected. 0: nothing is collected."),
    leases: gauge(
      "leases",
      "Leases outstanding. 0 with actors connected: paused, or the trainer is working (policy lag 0).",
    ),
    capacity: gauge(
      "capacity",
      "Leases that the actors want at once. Above a round's EnvBatches: the rest stays idle.",
    ),
    roundRollouts: gauge(
      "round_rollouts",
      "Rollouts that make a round, one for each EnvBatch: so many leases at once are of use.",
    ),
    oldestLease: gauge(
      "oldest_lease_age_seconds",
      "Of the leases that are out; 0: none. Far above lease_seconds' usual: a stuck or slow actor.",
    ),
    leaseSeconds: histogram("lease_seconds", "From a lease's granting to a good answer. Its spread shows stragglers."),
    leaseStateBytes: counter(
      "lease_state_bytes_total",
      "Bytes of environment states sent along with leases. Rising fast: EnvBatches move between actors.",
    ),
    leasesExpired: counter(
      "leases_expired_total",
      "Leases taken away unanswered. Rising: stuck or overloaded actors, or leaseSeconds is too short.",
    ),
    leasesReturned: closed(
      "leases_returned_total",
      "Leases given back, by reason. environment_failed rising: the environment throws.",
      "reason",
      returnReasons,
    ),
    actorsRefused: closed(
      "actors_refused_total",
      "Actors not let in, by reason (run, config, build, ...). Above 0: an actor was started wrongly.",
      "reason",
      ["run", "config", "build", "hello", "spec", "banned"] satisfies Refusal["reason"][],
    ),
    actorsDropped: counter(
      "actors_dropped_total",
      "Actors sent away for bad rollouts. Above 0: a machine with faulty memory, or a wrong build.",
    ),
    backupsGranted: counter(
      "backups_granted_total",
      "Late leases given to a second, idle actor as well. Rising steadily: one actor is much slower than the others.",
    ),
    backupsWon: counter("backups_won_total", "Backups that answered first: what the straggler insurance was good for."),
  };
}

/** What the actors bring. */
function rolloutMetrics(registry: Registry) {
  const { counter, closed, gauge } = declare(registry);
  return {
    rolloutsUntrained: gauge(
      "rollouts_untrained",
      "Rollouts taken and not yet trained on, a running update's included. At round_rollouts and above: the trainer is behind.",
    ),
    rolloutBytes: counter("rollout_bytes_total", "Bytes of the rollouts that came, as they travelled, good or not."),
    rolloutsTaken: counter("rollouts_taken_total", "Rollouts that are or will be trained on."),
    rolloutsDuplicate: closed(
      "rollouts_duplicate_total",
      "Rollouts whose work another answer had done: wasted, by reason. Rising expired: leases expire too early; outrun: stragglers.",
      "reason",
      ["expired", "outrun", "unleased", "mixed_up"],
    ),
    rolloutsUnleased: closed(
      "rollouts_unleased_total",
      "Rollouts taken although their sender did not hold the lease (any more), by reason. Rising: unsteady links or short leases.",
      "reason",
      ["expired", "outrun", "unleased"] satisfies Answered["standing"][],
    ),
    rolloutsStale: closed(
      "rollouts_stale_total",
      "Rollouts too old to train on, by reason. Rising policy_lag: actors get policies too late.",
      "reason",
      ["generation", "round", "policy", "policy_lag"] satisfies StaleReason[],
    ),
    rolloutsRefused: closed(
      "rollouts_refused_total",
      "Rollouts found wrong, by reason, and collected again. Above 0: a broken or foreign actor.",
      "reason",
      refusalReasons,
    ),
    rolloutSeconds: closed(
      "rollout_seconds_total",
      "The actors' worker seconds, by part (environment, inference, other): what collection costs.",
      "part",
      ["environment", "inference", "other"],
    ),
  };
}

/** What goes to the coordinator. */
function storageMetrics(registry: Registry) {
  const { counter, gauge } = declare(registry);
  return {
    checkpointsStored: counter("checkpoints_stored_total", "Checkpoints that the coordinator has on its disk."),
    checkpointsFailed: counter(
      "checkpoints_failed_total",
      "Attempts that did not store one. Rising: the coordinator is away, or its disk is full.",
    ),
    checkpointBytes: gauge("checkpoint_bytes", "Size of the newest checkpoint."),
    checkpointInterval: gauge("checkpoint_interval_updates", "Updates from one checkpoint to the next, as configured."),
    checkpointWaiting: gauge(
      "checkpoint_waiting",
      "1: the newest checkpoint is not stored yet. For long: a crash now would lose the updates since.",
    ),
    reportsWaiting: gauge("reports_waiting", "Update reports not delivered yet. Rising: the coordinator is away."),
    reportsDropped: counter(
      "reports_dropped_total",
      "Update reports given up because the coordinator could not read them: gaps in the run's metrics file.",
    ),
    reproducible: gauge(
      "reproducible",
      "0: parts of different fingerprints worked on the run; the same config need not give the same weights.",
    ),
  };
}
