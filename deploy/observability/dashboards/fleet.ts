import type { DashboardBuilder } from "@grafana/grafana-foundation-sdk/dashboard";
import { flowRows } from "./fleetFlow.ts";
import { processRows } from "./fleetProcesses.ts";
import { frame, type Row } from "./frame.ts";
import { figure, firingAlerts, graph } from "./panels.ts";
import { actor, coordinator, learner, quantile, rate } from "./series.ts";

const glance: Row = {
  title: "At a glance",
  panels: [
    figure({
      title: "Agent steps per second",
      description: "Trained on, in the last minute. Atari frames are 4 times as many.",
      unit: "suffix: steps/s",
      queries: [['run:anchorage_trained_agent_steps:rate1m{run=~"$run"}', "{{run}}"]],
      width: 5,
    }),
    figure({
      title: "Learner waits",
      description: "Share of the last minute in which the learner had no whole round. High: add actors.",
      unit: "percentunit",
      queries: [['run:anchorage_learner_wait:ratio1m{run=~"$run"}', "{{run}}"]],
      width: 4,
      min: 0,
      max: 1,
    }),
    figure({
      title: "Actors wait",
      description: "Share of the last minute in which useful workers had no lease. High: more actors change nothing.",
      unit: "percentunit",
      queries: [['run:anchorage_actors_wait:ratio1m{run=~"$run"}', "{{run}}"]],
      width: 4,
      min: 0,
      max: 1,
    }),
    figure({
      title: "Actors",
      description: "Connected to the learner. 0: nothing is collected.",
      unit: "short",
      queries: [[learner("actors"), "{{run}}"]],
      width: 3,
      below: true,
      failAt: 1,
    }),
    figure({
      title: "Checkpoint age",
      description: "What a crash of the learner would cost.",
      unit: "s",
      queries: [[coordinator("checkpoint_age_seconds"), "{{run}}"]],
      width: 4,
      warnAt: 1800,
      failAt: 7200,
    }),
    firingAlerts,
  ],
};

const throughput: Row = {
  title: "Throughput, and who waits",
  panels: [
    graph({
      title: "Agent steps per second",
      description:
        "Collected by the actors and trained on by the learner. Far apart for long: rollouts are thrown away.",
      unit: "suffix: steps/s",
      queries: [
        ['run:anchorage_trained_agent_steps:rate1m{run=~"$run"}', "{{run}} trained"],
        ['run:anchorage_collected_agent_steps:rate1m{run=~"$run"}', "{{run}} collected"],
      ],
      width: 8,
      min: 0,
    }),
    graph({
      title: "Who waits",
      description:
        "Seconds of waiting per second. The higher one waits for the other: the learner for actors (add some), or actors for the learner (a GPU, more threads, policy lag 1). At policy lag 0 they take turns.",
      unit: "percentunit",
      queries: [
        ['run:anchorage_learner_wait:ratio1m{run=~"$run"}', "{{run}} learner waits"],
        ['run:anchorage_actors_wait:ratio1m{run=~"$run"}', "{{run}} actors wait"],
      ],
      width: 8,
      min: 0,
      max: 1,
    }),
    graph({
      title: "Where the actors' time goes",
      description:
        "Worker seconds per second of all actors. Mostly idle: the learner is the bottleneck; much other: report it.",
      unit: "suffix: workers",
      queries: [[`sum by (run, part) (${rate(actor("worker_seconds_total"))})`, "{{run}} {{part}}"]],
      width: 8,
      min: 0,
      stacked: true,
    }),
    graph({
      title: "A round: collect, update",
      description: "Median time from a round's first lease to its last answer, and of the update on it.",
      unit: "s",
      queries: [
        [quantile(0.5, learner("collect_seconds_bucket")), "{{run}} collect"],
        [quantile(0.5, learner("update_seconds_bucket")), "{{run}} update"],
      ],
      width: 12,
      min: 0,
    }),
    graph({
      title: "Where the update's time goes",
      description: "Seconds of the update's stages per second. All but minibatch should be a few percent.",
      unit: "percentunit",
      queries: [
        [`sum by (run, stage) (${rate(learner("stage_seconds_total", 'stage!="gather"'))})`, "{{run}} {{stage}}"],
      ],
      width: 12,
      min: 0,
      stacked: true,
    }),
  ],
};

/** What the machines do: throughput and who waits, leases, the network, the processes, the disk. */
export function fleetDashboard(): DashboardBuilder {
  const description =
    "Throughput, who waits for whom, leases, broadcast, processes and storage, by run. docs/metrics.md says what each number means.";
  return frame("anchorage-fleet", "Anchorage: fleet", description, [glance, throughput, ...flowRows, ...processRows]);
}
