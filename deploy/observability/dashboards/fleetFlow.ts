import type { Row } from "./frame.ts";
import { graph } from "./panels.ts";
import { actor, learner, quantile, rate } from "./series.ts";

const leases: Row = {
  title: "Leases and rollouts",
  panels: [
    graph({
      title: "Lease ages",
      description:
        "Time from a lease to its good answer, and the age of the oldest that is out. The oldest far above the rest: a stuck or slow actor.",
      unit: "s",
      queries: [
        [learner("oldest_lease_age_seconds"), "{{run}} oldest out"],
        [quantile(0.95, learner("lease_seconds_bucket")), "{{run}} 95 % answered"],
        [quantile(0.5, learner("lease_seconds_bucket")), "{{run}} median"],
      ],
      width: 8,
      min: 0,
    }),
    graph({
      title: "Leases",
      description:
        "Out with the actors, wanted by them, and useful at once (one for each EnvBatch). Wanted above useful: actors stand idle.",
      unit: "suffix: leases",
      queries: [
        [learner("leases"), "{{run}} out"],
        [learner("capacity"), "{{run}} wanted"],
        [learner("round_rollouts"), "{{run}} useful"],
      ],
      width: 8,
      min: 0,
    }),
    graph({
      title: "Queue",
      description: "Rollouts that came and are not trained on yet, and how many make a round.",
      unit: "suffix: rollouts",
      queries: [
        [learner("rollouts_untrained"), "{{run}} waiting"],
        [learner("round_rollouts"), "{{run}} a round"],
      ],
      width: 8,
      min: 0,
    }),
    graph({
      title: "Rollouts",
      description:
        "By what the learner made of them. Stale: too late; refused: wrong, look at once; duplicate: another answer came first.",
      unit: "suffix: rollouts/s",
      queries: [
        [`sum by (run) (${rate(learner("rollouts_taken_total"))})`, "{{run}} taken"],
        [`sum by (run) (${rate(learner("rollouts_stale_total"))})`, "{{run}} stale"],
        [`sum by (run) (${rate(learner("rollouts_refused_total"))})`, "{{run}} refused"],
        [`sum by (run) (${rate(learner("rollouts_duplicate_total"))})`, "{{run}} duplicate"],
      ],
      width: 8,
      min: 0,
    }),
    graph({
      title: "Leases that came to nothing",
      description: "Expired at their deadline, given back by actors, or late and given to a second actor as well.",
      unit: "suffix: leases/s",
      queries: [
        [rate(learner("leases_expired_total")), "{{run}} expired"],
        [`sum by (run) (${rate(learner("leases_returned_total"))})`, "{{run}} given back"],
        [rate(learner("backups_granted_total")), "{{run}} backups"],
      ],
      width: 8,
      min: 0,
    }),
    graph({
      title: "Policy lag",
      description:
        "Updates between the policy that acted and the one that learns: mean of a round, the run's limit, and the actor that is farthest behind.",
      unit: "suffix: updates",
      queries: [
        [learner("policy_lag"), "{{run}} trained on"],
        [learner("policy_lag_limit"), "{{run}} limit"],
        [`max by (run) (${actor("policy_lag")})`, "{{run}} slowest actor"],
      ],
      width: 8,
      min: 0,
    }),
  ],
};

const network: Row = {
  title: "Network",
  panels: [
    graph({
      title: "Broadcast latency",
      description:
        "From a policy's making until NATS has stored it, and from a lease until its actor has the policy. Over 0.1 s a MB: NATS or the network is slow.",
      unit: "s",
      queries: [
        [quantile(0.5, learner("broadcast_seconds_bucket")), "{{run}} stored, median"],
        [quantile(0.95, learner("broadcast_seconds_bucket")), "{{run}} stored, 95 %"],
        [quantile(0.95, actor("policy_wait_seconds_bucket")), "{{run}} actors wait, 95 %"],
      ],
      width: 8,
      min: 0,
    }),
    graph({
      title: "Bytes",
      description:
        "Rollouts to the learner, policies to NATS and from there to the actors, and environment states that leases carry (moved EnvBatches).",
      unit: "Bps",
      queries: [
        [rate(learner("rollout_bytes_total")), "{{run}} rollouts"],
        [rate(learner("broadcast_bytes_total")), "{{run}} policies, to NATS"],
        [`sum by (run) (${rate(actor("policy_bytes_total"))})`, "{{run}} policies, to actors"],
        [rate(learner("lease_state_bytes_total")), "{{run}} states"],
      ],
      width: 8,
      min: 0,
    }),
    graph({
      title: "Links",
      description:
        "1: the learner's link to NATS is up. Actors connected to the learner, and streams that broke and were opened again, per minute.",
      unit: "short",
      queries: [
        [learner("nats_connected"), "{{run}} NATS"],
        [`sum by (run) (${actor("learner_connected")})`, "{{run}} connected actors"],
        [`60 * sum by (run) (${rate(actor("learner_reconnects_total"))})`, "{{run}} reconnects a minute"],
      ],
      width: 8,
      min: 0,
    }),
  ],
};

/** What goes between learner and actors: leases, rollouts, policies. */
export const flowRows: readonly Row[] = [leases, network];
