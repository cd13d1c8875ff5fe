import type { DashboardBuilder } from "@grafana/grafana-foundation-sdk/dashboard";
import { frame, type Row } from "./frame.ts";
import { figure, firingAlerts, graph } from "./panels.ts";
import { coordinator, learner } from "./series.ts";

const glance: Row = {
  title: "At a glance",
  panels: [
    figure({
      title: "Mean return",
      description: "Mean raw return of the newest 100 episodes. None: no episode has ended yet.",
      unit: "short",
      queries: [[learner("mean_return"), "{{run}}"]],
      width: 6,
    }),
    figure({
      title: "Progress",
      description: "Agent steps trained on, of the run's total.",
      unit: "percentunit",
      queries: [[`${coordinator("agent_steps")} / ${coordinator("total_agent_steps")}`, "{{run}}"]],
      width: 5,
      min: 0,
      max: 1,
    }),
    figure({
      title: "Time left",
      description: "At the throughput of the last minute.",
      unit: "s",
      queries: [
        [
          `max by (run) (${coordinator("total_agent_steps")} - ${coordinator("agent_steps")}) / (run:anchorage_trained_agent_steps:rate1m{run=~"$run"} > 0)`,
          "{{run}}",
        ],
      ],
      width: 5,
    }),
    figure({
      title: "Updates per minute",
      description: "Of the last 5 minutes.",
      unit: "short",
      queries: [['60 * run:anchorage_updates:rate5m{run=~"$run"}', "{{run}}"]],
      width: 4,
    }),
    firingAlerts,
  ],
};

const returns: Row = {
  title: "Returns",
  panels: [
    graph({
      title: "Mean return",
      description: "Mean raw return of the newest 100 episodes. Falling for long: learning diverges.",
      unit: "short",
      queries: [[learner("mean_return"), "{{run}}"]],
      width: 16,
    }),
    graph({
      title: "Episode length",
      description: "Mean of the newest 100 episodes, in agent steps.",
      unit: "suffix: steps",
      queries: [[learner("mean_episode_length"), "{{run}}"]],
      width: 8,
      min: 0,
    }),
  ],
};

const policy: Row = {
  title: "Policy",
  panels: [
    graph({
      title: "Entropy",
      description: "Of the policy. Near 0 early: it has collapsed to one action.",
      unit: "suffix: nats",
      queries: [[learner("entropy_nats"), "{{run}}"]],
      width: 8,
    }),
    graph({
      title: "KL divergence",
      description:
        "Between the policy that acted and the one that learns (approximate); exact over the whole update where the algorithm has a KL term. Over 0.1 for many updates: steps too large.",
      unit: "suffix: nats",
      queries: [
        [learner("approx_kl_nats"), "{{run}} approximate"],
        [learner("kl_nats"), "{{run}} exact"],
      ],
      width: 8,
      warnAt: 0.1,
    }),
    graph({
      title: "Clip fraction",
      description: "Share of samples with |ratio - 1| > eps. Near 1: steps too large.",
      unit: "percentunit",
      queries: [[learner("clip_fraction"), "{{run}}"]],
      width: 8,
      min: 0,
    }),
    graph({
      title: "Ratio extremes",
      description:
        "Smallest and largest ratio of new to old probability in an update. ANO lets them go and pulls them back; far outside for long: steps too large.",
      unit: "short",
      queries: [
        [learner("ratio_max"), "{{run}} max"],
        [learner("ratio_min"), "{{run}} min"],
      ],
      width: 8,
    }),
    graph({
      title: "Ratio at the start",
      description:
        "How far the first minibatch's ratios are from 1. Above 1e-4: actor and learner compute different policies.",
      unit: "short",
      queries: [[learner("ratio_start_error"), "{{run}}"]],
      width: 8,
      min: 0,
      failAt: 1e-4,
    }),
    graph({
      title: "Policy lag",
      description:
        "Updates between the policy that acted and the one that learns, mean of a round, and the run's limit.",
      unit: "suffix: updates",
      queries: [
        [learner("policy_lag"), "{{run}}"],
        [learner("policy_lag_limit"), "{{run}} limit"],
      ],
      width: 8,
      min: 0,
    }),
  ],
};

const critic: Row = {
  title: "Critic and optimiser",
  panels: [
    graph({
      title: "Explained variance",
      description: "Of the returns by the critic; 1 is perfect. Below 0 for long: worse than the mean.",
      unit: "percentunit",
      queries: [[learner("explained_variance"), "{{run}}"]],
      width: 8,
      max: 1,
    }),
    graph({
      title: "Losses",
      description: "Means over an update's minibatches. A value loss that grows for long: the critic diverges.",
      unit: "short",
      queries: [
        [learner("value_loss"), "{{run}} value"],
        [learner("policy_loss"), "{{run}} policy"],
      ],
      width: 8,
    }),
    graph({
      title: "Gradient norm",
      description: "Before clipping, mean over an update's minibatches.",
      unit: "short",
      queries: [[learner("gradient_norm"), "{{run}}"]],
      width: 4,
      min: 0,
    }),
    graph({
      title: "Learning rate",
      description: "Adam's, in the newest update. It falls to 0 over the run unless annealLearningRate is false.",
      unit: "sci",
      queries: [[learner("learning_rate"), "{{run}}"]],
      width: 4,
      min: 0,
    }),
  ],
};

/** What the policy learns: returns, and the numbers that say why they rise or do not. */
export function learningDashboard(): DashboardBuilder {
  const description =
    "Returns and the diagnostics of the updates, by run. docs/metrics.md says what each number means.";
  return frame("anchorage-learning", "Anchorage: learning", description, [glance, returns, policy, critic]);
}
