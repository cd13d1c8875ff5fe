import { Counter, Histogram, type Registry } from "prom-client";
import { closedCounter } from "../shared/closedCounter.ts";

/** A member's role as a label. Not `role`: that is the role of the process that serves the series. */
export type MemberLabel = "actor" | "learner";
const memberLabels: readonly MemberLabel[] = ["actor", "learner"];

/** Everything the coordinator counts; docs/metrics.md says what to think of it. */
export const coordinatorMetrics = (registry: Registry) => {
  const registers = [registry];
  const counter = (name: string, help: string) =>
    new Counter({ name: `anchorage_coordinator_${name}`, help, registers });
  const closed = <Label extends string, const Value extends string>(
    name: string,
    help: string,
    label: Label,
    values: readonly Value[],
  ) => closedCounter(registry, `anchorage_coordinator_${name}`, help, label, values);
  const lifetime = new Histogram({
    name: "anchorage_coordinator_member_lifetime_seconds",
    help: "From a member's registration until it left or was last heard of. Many short ones: members crash and come back.",
    labelNames: ["member_role"],
    buckets: [10, 60, shortLifeSeconds, 1_800, 7_200, 36_000],
    registers,
  });
  for (const member_role of memberLabels) lifetime.zero({ member_role });
  return {
    registrations: closed(
      "registrations_total",
      "Members that registered. Rising all the time: members crash and come back.",
      "member_role",
      memberLabels,
    ),
    heartbeats: closed(
      "heartbeats_total",
      "Heartbeats answered. Not rising: no member reaches the coordinator.",
      "member_role",
      memberLabels,
    ),
    expired: closed(
      "members_expired_total",
      "Members forgotten after silence: killed, cut off or overloaded.",
      "member_role",
      memberLabels,
    ),
    lifetime,
    reports: closed("reports_total", "Update reports. Refused ones: an old learner, or the wrong moment.", "outcome", [
      "accepted",
      "duplicate",
      "refused",
    ]),
    checkpointsStored: counter("checkpoints_stored_total", "Checkpoints stored whole and checked."),
    checkpointsRefused: closed(
      "checkpoints_refused_total",
      "Checkpoints not stored. generation: an old learner; corrupt: damaged on the way; storage: the disk.",
      "reason",
      ["generation", "corrupt", "storage"],
    ),
    checkpointsDamaged: counter(
      "checkpoints_damaged_total",
      "Stored checkpoints that failed their checksum. Over 0: check the disk.",
    ),
    checkpointsLoaded: counter("checkpoints_loaded_total", "Checkpoints served: a learner started or resumed."),
    storageFailures: counter("storage_failures_total", "Failed writes to the run folder. Over 0: disk full or broken."),
  };
};
export type CoordinatorMetrics = ReturnType<typeof coordinatorMetrics>;

/** A bucket of the lifetimes: the alert on actors that crash in a loop counts those below it. */
const shortLifeSeconds = 300;
