import { maxMessageBytes } from "../shared/grpcOptions.ts";
import type { MethodLimit } from "../shared/guardedCall.ts";
import type { WireBounds } from "../shared/wireBounds.ts";

const KiB = 1024;

const question: MethodLimit = { messageBytes: KiB, calls: 256, requestMs: 10_000 };
/** A registration carries the fingerprint, a heartbeat the status: a few KB each. */
const smallRequest: MethodLimit = { messageBytes: 64 * KiB, calls: 1_024, requestMs: 10_000 };

/** What each rpc may cost. One learner reports and stores, one at a time; a second may be taking over from it. */
export const coordinatorLimits: Readonly<Record<string, MethodLimit>> = {
  Register: smallRequest,
  Heartbeat: smallRequest,
  GetRun: question,
  Control: question,
  ReportUpdate: { messageBytes: maxMessageBytes, calls: 4, requestMs: 120_000 },
  SaveCheckpoint: { messageBytes: 4 * KiB * KiB, calls: 4, requestMs: null }, // its watchdog is in checkpointStreams.ts
  LoadCheckpoint: { ...question, calls: 8 },
  Watch: { ...question, calls: 256 },
};

/** UpdateReport: metrics by name, and the episodes of one round. */
export const coordinatorBounds: Readonly<Record<string, WireBounds>> = {
  ReportUpdate: { 4: { most: 1_000 }, 5: { most: 1_000_000 } },
};
