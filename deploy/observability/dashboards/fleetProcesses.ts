import type { Row } from "./frame.ts";
import { graph } from "./panels.ts";
import { coordinator, learner, process, rate } from "./series.ts";

const one = "{{role}} {{instance}}"; // a process in a legend

const resources: Row = {
  title: "Processes ($role)",
  panels: [
    graph({
      title: "CPU",
      description: "Cores that each process uses, all its threads.",
      unit: "suffix: cores",
      queries: [[rate(process("process_cpu_seconds_total")), one]],
      width: 8,
      min: 0,
    }),
    graph({
      title: "Memory",
      description: "RAM in use (resident). Flat after the first minutes; rising for hours: a leak.",
      unit: "bytes",
      queries: [[process("process_resident_memory_bytes"), one]],
      width: 8,
      min: 0,
    }),
    graph({
      title: "Event-loop lag",
      description: "How late the main thread gets to its work, 99 %. Above 0.1 s for long: no CPU is left for it.",
      unit: "s",
      queries: [[process("nodejs_eventloop_lag_p99_seconds"), one]],
      width: 8,
      min: 0,
      warnAt: 0.1,
    }),
  ],
};

const members: Row = {
  title: "Members",
  panels: [
    graph({
      title: "Members",
      description: "That the coordinator knows, by role. No learner while running: nothing is learnt.",
      unit: "short",
      queries: [[coordinator("members"), "{{run}} {{member_role}}"]],
      width: 8,
      min: 0,
    }),
    graph({
      title: "Restarts",
      description:
        "Registrations in the last 10 minutes, by role, and members that fell silent. More than were added: members crash and come back.",
      unit: "short",
      queries: [
        [
          `sum by (run, member_role) (increase(${coordinator("registrations_total")}[10m]))`,
          "{{run}} {{member_role}} registered",
        ],
        [`sum by (run) (increase(${coordinator("members_expired_total")}[10m]))`, "{{run}} fell silent"],
      ],
      width: 8,
      min: 0,
    }),
    graph({
      title: "Up for",
      description: "Time since each process was started. A saw: it crashes.",
      unit: "s",
      queries: [[`time() - ${process("process_start_time_seconds")}`, one]],
      width: 8,
      min: 0,
    }),
  ],
};

const storage: Row = {
  title: "Storage",
  panels: [
    graph({
      title: "Checkpoint age",
      description: "Since the newest checkpoint was stored: what a crash of the learner would cost.",
      unit: "s",
      queries: [[coordinator("checkpoint_age_seconds"), "{{run}}"]],
      width: 6,
      min: 0,
    }),
    graph({
      title: "Not stored yet",
      description:
        "Reports that the coordinator has not taken, and whether a checkpoint waits. Rising: it is away, or its disk is full.",
      unit: "short",
      queries: [
        [learner("reports_waiting"), "{{run}} reports"],
        [learner("checkpoint_waiting"), "{{run}} checkpoint"],
      ],
      width: 6,
      min: 0,
    }),
    graph({
      title: "Checkpoint size",
      description: "Of the newest.",
      unit: "bytes",
      queries: [[coordinator("checkpoint_bytes"), "{{run}}"]],
      width: 6,
      min: 0,
    }),
    graph({
      title: "Disk free",
      description: "Of the file system with the run folder. Under 5 % an alert fires.",
      unit: "percentunit",
      queries: [[`${coordinator("run_folder_free_bytes")} / ${coordinator("run_folder_size_bytes")}`, "{{run}}"]],
      width: 6,
      min: 0,
      max: 1,
      below: true,
      warnAt: 0.1,
      failAt: 0.05,
    }),
  ],
};

/** What the processes take and whether they stay, and what is stored. */
export const processRows: readonly Row[] = [resources, members, storage];
