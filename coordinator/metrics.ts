import { Counter, type Registry } from "prom-client";

/** Everything the coordinator counts; docs/metrics.md says what to think of it. */
export const coordinatorMetrics = (registry: Registry) => {
  const registers = [registry];
  const counter = <Label extends string = never>(name: string, help: string, labelNames: Label[] = []) =>
    new Counter<Label>({ name: `anchorage_coordinator_${name}`, help, labelNames, registers });
  return {
    registrations: counter(
      "registrations_total",
      "Members that registered. Rising all the time: members crash and come back.",
      ["role"],
    ),
    heartbeats: counter("heartbeats_total", "Heartbeats answered. Not rising: no member reaches the coordinator.", [
      "role",
    ]),
    expired: counter("members_expired_total", "Members forgotten after silence: killed, cut off or overloaded.", [
      "role",
    ]),
    reports: counter("reports_total", "Update reports. Refused ones: an old learner, or the wrong moment.", [
      "outcome",
    ]),
    checkpointsStored: counter("checkpoints_stored_total", "Checkpoints stored whole and checked."),
    checkpointsRefused: counter(
      "checkpoints_refused_total",
      "Checkpoints not stored. generation: an old learner; corrupt: damaged on the way; storage: the disk.",
      ["reason"],
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
