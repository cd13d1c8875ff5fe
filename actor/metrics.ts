import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { closedCounter } from "../shared/closedCounter.ts";
import { returnReasons } from "../shared/returnReason.ts";

/** What the learner made of a rollout; dropped: it was gone. */
const rolloutOutcomes = ["taken", "duplicate", "stale", "refused", "dropped"] as const;

/**
 * Every metric of the actor process, declared once; docs/metrics.md says the same at more length. `accountIdle` is called
 * before they are read, to count the workers' idle time up to now.
 */
export const actorMetrics = (registry: Registry, accountIdle: () => void = () => {}) => ({
  ...workMetrics(registry, accountIdle),
  ...linkMetrics(registry),
});
export type ActorMetrics = ReturnType<typeof actorMetrics>;

/** Leases, and the workers that answer them. */
function workMetrics(registry: Registry, accountIdle: () => void) {
  const registers = [registry];
  return {
    agentSteps: new Counter({
      name: "anchorage_actor_agent_steps_total",
      help: "Agent steps collected. Not rising: look at worker_seconds for what the workers do instead.",
      registers,
    }),
    rollouts: closedCounter(
      registry,
      "anchorage_actor_rollouts_total",
      "Rollouts by what the learner made of them. Rising stale: policies come too late. refused: see the logs at once.",
      "outcome",
      rolloutOutcomes,
    ),
    leasesReturned: closedCounter(
      registry,
      "anchorage_actor_leases_returned_total",
      "Leases given back unanswered, by reason. Rising environment_failed or policy_unavailable: see the log.",
      "reason",
      returnReasons,
    ),
    workerSeconds: closedCounter(
      registry,
      "anchorage_actor_worker_seconds_total",
      "Seconds of all workers: environment, inference, other (sampling, copying, compressing), idle (actors wait). Mostly idle: the learner is the bottleneck.",
      "part",
      ["environment", "inference", "other", "idle"],
      accountIdle,
    ),
    stateCache: closedCounter(
      registry,
      "anchorage_actor_state_cache_total",
      "Leases that continue an EnvBatch, by where its state came from. Rising lease or miss: EnvBatches move between actors.",
      "result",
      ["hit", "lease", "miss"],
    ),
    leases: new Gauge({
      name: "anchorage_actor_leases",
      help: "Leases held now. 0 for long: the learner computes, is paused, or is not reached.",
      registers,
    }),
    workers: new Gauge({ name: "anchorage_actor_workers", help: "Rollout workers of this process.", registers }),
  };
}

/** Policies and the ways to the learner and to NATS. */
function linkMetrics(registry: Registry) {
  const registers = [registry];
  return {
    policySeconds: new Histogram({
      name: "anchorage_actor_policy_wait_seconds",
      help: "From a lease to having the policy that it names; 0 if it was there before. High: NATS or the network is slow.",
      buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
      registers,
    }),
    rolloutBytes: new Counter({
      name: "anchorage_actor_rollout_bytes_total",
      help: "Bytes of the rollouts that were made for the learner.",
      registers,
    }),
    policyBytes: new Counter({
      name: "anchorage_actor_policy_bytes_total",
      help: "Bytes of policies that came from NATS, repeats included.",
      registers,
    }),
    policiesNeeded: new Counter({
      name: "anchorage_actor_policies_needed_total",
      help: "Times that the learner was asked to store a policy again. Rising: NATS loses its storage.",
      registers,
    }),
    policyLag: new Gauge({
      name: "anchorage_actor_policy_lag",
      help: "Newest policy version known here minus the version that the last lease acts with, in updates.",
      registers,
    }),
    learnerConnected: new Gauge({
      name: "anchorage_actor_learner_connected",
      help: "1 while the learner has welcomed this actor. 0 for long: learner down or address wrong.",
      registers,
    }),
    natsConnected: new Gauge({
      name: "anchorage_actor_nats_connected",
      help: "1 while there is a link to NATS. 0 for long: no new policies.",
      registers,
    }),
    reconnects: new Counter({
      name: "anchorage_actor_learner_reconnects_total",
      help: "Collect streams that ended and were opened again. Rising steadily: an unstable network or learner.",
      registers,
    }),
  };
}
