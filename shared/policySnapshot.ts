/**
 * One policy version as it is broadcast, stored and exported: an ONNX model with the observation normalisation inside.
 * Inputs: "observations" [E, ...shape], raw, float32 or uint8 (stacked frames: [E, S, H, W], oldest first).
 * Outputs: categorical: "logits" [E, A]; gaussian: "mean" [E, A] and "log_std" [E, A]; both: "value" [E].
 * Batch size E is symbolic in the file. Model metadata carry anchorage.version, anchorage.run, anchorage.env,
 * anchorage.spec (EnvironmentSpec JSON).
 */
export interface PolicySnapshot {
  readonly version: number;
  readonly digest: string; // sha256 hex of bytes
  readonly bytes: Uint8Array;
}

export const onnxNames = {
  observations: "observations",
  logits: "logits",
  mean: "mean",
  logStd: "log_std",
  value: "value",
} as const;

/** Bytes of a snapshot per NATS message: under the server's default max_payload of 1 MiB with headers. */
export const chunkBytes = 768 * 1024;

/** JetStream stream and subjects of a run (run ids are [a-z0-9-]). A slot is version modulo `slots`. */
export const policyStream = (runId: string): string => `ANCHORAGE_${runId.replaceAll("-", "_").toUpperCase()}`;
export const policySubject = (runId: string, slot: number, chunk: number | "*"): string =>
  `anchorage.${runId}.policy.${slot}.${chunk}`;
export const policySubjects = (runId: string): string => `anchorage.${runId}.policy.*.*`;

/** Versions kept for late joiners: policyLag + 2 (async counts as its maximum lag). */
export function policySlots(policyLag: 0 | 1 | "async", maxPolicyLag: number): number {
  return (policyLag === "async" ? maxPolicyLag : policyLag) + 2;
}

/** Headers of each chunk; a reader checks every one, since a slot may hold chunks of two versions for a moment. */
export const chunkHeader = {
  version: "Anchorage-Version",
  generation: "Anchorage-Generation",
  digest: "Anchorage-Digest", // sha256 hex of the whole snapshot
  offset: "Anchorage-Offset", // of this chunk in the snapshot, bytes
  total: "Anchorage-Total", // bytes of the snapshot
} as const;
