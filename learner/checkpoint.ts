import { createHash } from "node:crypto";
import { z } from "zod";
import { EnvironmentSpec } from "../shared/environment.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import { Fingerprint, fingerprintDifferences } from "../shared/fingerprint.ts";
import type { PolicySnapshot } from "../shared/policySnapshot.ts";
import { configDigest, type RunConfig, runShape } from "../shared/runConfig.ts";
import type { EnvBatchStart } from "./rounds.ts";
import { decodeTensorFile, encodeTensorFile } from "./safetensors.ts";
import type { NamedTensor, TrainerState } from "./trainer.ts";

/** Raised when a reader of the old version would misread the new one; docs/checkpoint.md describes each. */
export const checkpointFormat = 1;

/** What is not a tensor; each field is one JSON string in the file's __metadata__. */
const Metadata = z.object({
  format: z.literal("anchorage-checkpoint"),
  formatVersion: z.literal(checkpointFormat),
  runId: z.string().min(1),
  configDigest: z.string().length(64),
  config: z.unknown().describe("RunConfig, for people: the digest decides"),
  fingerprint: Fingerprint.describe("of the learner"),
  actorFingerprint: Fingerprint.nullable().describe("of the run's first actor; null: none yet"),
  reproducible: z.boolean().describe("false once parts of different fingerprints worked on the run"),
  build: z.string(),
  updates: z.int().nonnegative().describe("done"),
  weightsSha256: z.string().describe("of the newest policy's parameters"),
  agentSteps: z.int().nonnegative().describe("trained on"),
  episodes: z.int().nonnegative().describe("ended in all"),
  episodeWindow: z.array(z.tuple([z.number(), z.int()])).describe("[return, length] of the newest raw episodes"),
  environmentSpec: EnvironmentSpec,
  rounds: z.array(z.int().nonnegative()).describe("the next round of each EnvBatch"),
  stateDigests: z.array(z.string().nullable()).describe("sha256 of each EnvBatch's state; null: not begun"),
  policies: z.array(z.object({ version: z.int().nonnegative(), digest: z.string() })),
  counters: z.record(z.string(), z.number()).describe("of the metrics that continue over a resume"),
});
export type CheckpointMetadata = Readonly<z.infer<typeof Metadata>>;

/** Everything that a learner needs to continue bit-identically after update `metadata.updates`. */
export interface Checkpoint {
  readonly metadata: CheckpointMetadata;
  readonly trainer: TrainerState;
  readonly policies: readonly PolicySnapshot[]; // of every version that an untrained round uses, the newest last
  readonly starts: readonly EnvBatchStart[]; // by EnvBatch, at the start of its oldest untrained round
}

/** Metadata fields that encodeCheckpoint derives from the rest. */
type Derived = "format" | "formatVersion" | "rounds" | "stateDigests" | "policies" | "updates";
export interface CheckpointParts extends Omit<Checkpoint, "metadata"> {
  readonly metadata: Omit<CheckpointMetadata, Derived>;
}

/** The bytes of a checkpoint: see docs/checkpoint.md. */
export function encodeCheckpoint(parts: CheckpointParts): Uint8Array {
  const metadata: CheckpointMetadata = {
    ...parts.metadata,
    format: "anchorage-checkpoint",
    formatVersion: checkpointFormat,
    updates: parts.trainer.updates,
    rounds: parts.starts.map(({ round }) => round),
    stateDigests: parts.starts.map(({ state }) => state?.digest ?? null),
    policies: parts.policies.map(({ version, digest }) => ({ version, digest })),
  };
  const tensors: Record<string, NamedTensor> = {};
  for (const [name, tensor] of Object.entries(parts.trainer.tensors)) tensors[`trainer.${name}`] = tensor;
  for (const { version, bytes } of parts.policies) tensors[`policy.${version}`] = raw(bytes);
  for (const [b, { state }] of parts.starts.entries()) if (state !== null) tensors[`env_batch.${b}`] = raw(state.bytes);
  const strings = Object.entries(metadata).map(([key, value]) => [key, JSON.stringify(value)]);
  return encodeTensorFile({ metadata: Object.fromEntries(strings), tensors });
}

/** Reads and checks the bytes. Throws CORRUPT (damaged) or MISMATCH (written by a newer build). */
export function decodeCheckpoint(bytes: Uint8Array): Checkpoint {
  const file = decodeTensorFile(bytes);
  const metadata = parseMetadata(file.metadata);
  const trainer: Record<string, NamedTensor> = {};
  for (const [name, tensor] of Object.entries(file.tensors))
    if (name.startsWith("trainer."))
      trainer[name.slice("trainer.".length)] = { ...tensor, data: Uint8Array.from(tensor.data) }; // aligned, transferable
  const blob = (name: string, digest: string): Uint8Array => {
    const tensor = file.tensors[name];
    if (tensor === undefined) throw corrupt(`${name} is missing`);
    const found = createHash("sha256").update(tensor.data).digest("hex");
    if (found !== digest) throw corrupt(`${name} has sha256 ${found}, expected ${digest}`);
    return Uint8Array.from(tensor.data); // own memory: the file's bytes may go
  };
  const policies = metadata.policies.map(({ version, digest }) => ({
    version,
    digest,
    bytes: blob(`policy.${version}`, digest),
  }));
  const starts = metadata.rounds.map((round, b): EnvBatchStart => {
    const digest = metadata.stateDigests[b];
    if (digest === undefined || (digest === null) !== (round === 0))
      throw corrupt(`EnvBatch ${b} is in round ${round} with state ${digest}`);
    return { round, state: digest === null ? null : { bytes: blob(`env_batch.${b}`, digest), digest } };
  });
  return { metadata, trainer: { updates: metadata.updates, tensors: trainer }, policies, starts };
}

export interface ResumeTerms {
  readonly runId: string;
  readonly config: RunConfig;
  readonly fingerprint: Fingerprint;
  /** An explicit wish to go on with another machine or build; the run is then not reproducible. */
  readonly acceptOtherFingerprint: boolean;
}

/**
 * May this run go on from this checkpoint here? Throws MISMATCH naming both values. Gives the differences of the
 * fingerprints that were accepted; not empty: the run is not reproducible any more.
 */
export function checkResume(checkpoint: Checkpoint, terms: ResumeTerms): string[] {
  const { metadata } = checkpoint;
  if (metadata.runId !== terms.runId)
    throw new OperatorError(
      "MISMATCH",
      `The checkpoint is of run ${metadata.runId}, this is run ${terms.runId}.`,
      "Use the run's own folder.",
    );
  const digest = configDigest(terms.config);
  if (metadata.configDigest !== digest) {
    const problem = `The checkpoint was made with config ${metadata.configDigest.slice(0, 12)}, this run has ${digest.slice(0, 12)}: ${differingFields(metadata.config, terms.config)}.`;
    throw new OperatorError("MISMATCH", problem, "Resume with the config that the run began with, or start a new run.");
  }
  const { envBatches } = runShape(terms.config);
  if (checkpoint.starts.length !== envBatches)
    throw corrupt(`it has ${checkpoint.starts.length} EnvBatches, the run ${envBatches}`);
  if (checkpoint.policies.at(-1)?.version !== metadata.updates) throw corrupt(`policy ${metadata.updates} is missing`);
  const differences = fingerprintDifferences(metadata.fingerprint, terms.fingerprint);
  if (differences.length > 0 && !terms.acceptOtherFingerprint) {
    const problem = `The run began on another machine or build (checkpoint against here): ${differences.join("; ")}.`;
    throw new OperatorError(
      "MISMATCH",
      problem,
      "Resume where it began, or set otherFingerprint=accept in the deploy config (ANCHORAGE_OTHER_FINGERPRINT=accept): the run is then not reproducible.",
    );
  }
  return differences;
}

function parseMetadata(strings: Readonly<Record<string, string>>): CheckpointMetadata {
  const values: Record<string, unknown> = {};
  try {
    for (const [key, json] of Object.entries(strings)) {
      values[key] = JSON.parse(json);
      if (JSON.stringify(values[key]) !== json) throw new Error(`${key} has a key twice or is not written plainly`);
    }
  } catch (cause) {
    throw corrupt(`its metadata are not JSON: ${messageOf(cause)}`, { cause });
  }
  if (values.format !== "anchorage-checkpoint") throw corrupt("it is not an Anchorage checkpoint");
  if (typeof values.formatVersion === "number" && values.formatVersion > checkpointFormat) {
    const problem = `The checkpoint has format ${values.formatVersion}, this build reads up to ${checkpointFormat}.`;
    throw new OperatorError("MISMATCH", problem, `Resume with the build that wrote it: ${String(values.build)}.`);
  }
  const result = Metadata.safeParse(values);
  if (!result.success) throw corrupt(z.prettifyError(result.error));
  return result.data;
}

function differingFields(theirs: unknown, ours: RunConfig): string {
  const a = (theirs ?? {}) as Record<string, unknown>;
  const b = ours as Record<string, unknown>;
  const fields = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter(
    (key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]),
  );
  return (
    fields.map((key) => `${key} ${JSON.stringify(a[key])} against ${JSON.stringify(b[key])}`).join(", ") ||
    "the order of fields"
  );
}

function raw(bytes: Uint8Array): NamedTensor {
  return { dtype: "U8", shape: [bytes.length], data: bytes };
}

function corrupt(what: string, options?: ErrorOptions): OperatorError {
  return new OperatorError(
    "CORRUPT",
    `The checkpoint is damaged: ${what}.`,
    "Resume from another checkpoint of this run.",
    options,
  );
}
