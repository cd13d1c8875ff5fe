import { createHash } from "node:crypto";
import { crc32c } from "@node-rs/crc32";
import { compressSync, uncompressSync } from "lz4-napi";
import type { Rollout__Output as RolloutMessage } from "../proto/gen/anchorage/v1/Rollout.ts";
import type { Tensor__Output as Tensor } from "../proto/gen/anchorage/v1/Tensor.ts";
import type { EnvironmentSpec } from "./environment.ts";
import { type Rollout, rolloutLengths } from "./rollout.ts";
import { badRollout, checkKey, checkTiming, checkValues } from "./rolloutValidation.ts";
import type { RunConfig } from "./runConfig.ts";

/** The tensors of the message in field order: the order of the checksum. */
const tensorFields = [
  "observations",
  "initial_stack",
  "stack_refilled",
  "actions",
  "log_probs",
  "values",
  "next_values",
  "rewards",
  "terminated",
  "truncated",
  "final_indices",
  "final_observations",
] as const;
type TensorField = (typeof tensorFields)[number];
type DType = "UINT8" | "INT32" | "FLOAT32";
type Data = Uint8Array | Int32Array | Float32Array;
interface TensorLayout {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

const elementBytes = { UINT8: 1, INT32: 4, FLOAT32: 4 } as const;

/** dtype and shape of every tensor of a rollout with K truncated episodes. Empty tensors have a leading extent of 0. */
function tensorLayouts(config: RunConfig, spec: EnvironmentSpec, truncated: number): Record<TensorField, TensorLayout> {
  const { steps, batch } = rolloutLengths(config, spec);
  const { shape, frameStack } = spec.observation;
  const observed: DType = spec.observation.dtype === "uint8" ? "UINT8" : "FLOAT32";
  const scalar: TensorLayout = { dtype: "FLOAT32", shape: [steps, batch] };
  const flag: TensorLayout = { dtype: "UINT8", shape: [steps, batch] };
  const stacked = frameStack !== null;
  return {
    observations: {
      dtype: observed,
      shape: stacked ? [steps - 1, batch, ...shape.slice(1)] : [steps, batch, ...shape],
    },
    initial_stack: { dtype: "UINT8", shape: stacked ? [batch, ...shape] : [0] },
    stack_refilled: { dtype: "UINT8", shape: stacked ? [steps - 1, batch] : [0] },
    actions:
      spec.action.kind === "discrete"
        ? { dtype: "INT32", shape: [steps, batch] }
        : { dtype: "FLOAT32", shape: [steps, batch, spec.action.low.length] },
    log_probs: scalar,
    values: scalar,
    next_values: scalar,
    rewards: scalar,
    terminated: flag,
    truncated: flag,
    final_indices: { dtype: "INT32", shape: [truncated] },
    final_observations: { dtype: observed, shape: [truncated, ...shape] },
  };
}

function product(shape: readonly number[]): number {
  return shape.reduce((all, extent) => all * extent, 1);
}

/** The bytes of a typed array, not copied: little-endian, as every platform that Node supports here is. */
function bytesOf(data: Data): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

export const sha256Hex = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Bytes of a rollout message's tensors and end state: all but a few hundred of what travels. Any field may be missing. */
export function rolloutBytes(message: RolloutMessage): number {
  const tensors = tensorFields.reduce((sum, field) => sum + (message[field]?.data?.length ?? 0), 0);
  return tensors + (message.end_state?.length ?? 0);
}

/**
 * The wire form of a rollout; uint8 observations are LZ4 blocks. Views the rollout's arrays, except where compressed.
 * Throws SHAPE naming the field whose length does not fit the run.
 */
export function encodeRollout(
  rollout: Rollout,
  leaseId: number,
  config: RunConfig,
  spec: EnvironmentSpec,
): RolloutMessage {
  const data: Record<TensorField, Data> = {
    observations: rollout.observations,
    initial_stack: rollout.initialStack,
    stack_refilled: rollout.stackRefilled,
    actions: rollout.actions,
    log_probs: rollout.logProbs,
    values: rollout.values,
    next_values: rollout.nextValues,
    rewards: rollout.rewards,
    terminated: rollout.terminated,
    truncated: rollout.truncated,
    final_indices: rollout.finalIndices,
    final_observations: rollout.finalObservations,
  };
  const layouts = tensorLayouts(config, spec, rollout.finalIndices.length);
  const compressed = new Set<TensorField>(["observations", "initial_stack", "final_observations"]);
  const tensors = Object.fromEntries(
    tensorFields.map((field) => [field, encodeTensor(field, data[field], layouts[field], compressed.has(field))]),
  ) as Record<TensorField, Tensor>;
  const endState = Buffer.from(rollout.endState.buffer, rollout.endState.byteOffset, rollout.endState.byteLength);
  return {
    ...tensors,
    lease_id: leaseId,
    run_id: rollout.key.runId,
    generation: rollout.key.generation,
    env_batch: rollout.key.envBatch,
    round: rollout.key.round,
    policy: { version: rollout.key.policyVersion, digest: rollout.key.policyDigest },
    actor_id: rollout.actorId,
    episodes: rollout.episodes.map((episode) => ({ ...episode })),
    end_state: endState,
    end_state_digest: sha256Hex(endState),
    checksum: checksumOf(tensors, endState),
    environment_seconds: rollout.timing.environmentSeconds,
    inference_seconds: rollout.timing.inferenceSeconds,
    total_seconds: rollout.timing.totalSeconds,
  };
}

function encodeTensor(field: TensorField, data: Data, layout: TensorLayout, compress: boolean): Tensor {
  const want = product(layout.shape);
  if (data.length !== want) throw badRollout(field, "SHAPE", `has ${data.length} elements, expected ${want}`);
  const raw = bytesOf(data);
  const tensor = { dtype: layout.dtype, shape: [...layout.shape] };
  if (compress && layout.dtype === "UINT8" && raw.length > 0) {
    // lz4-napi puts the decoded length (4 bytes) before the block; the wire has the bare block
    const block = compressSync(raw).subarray(4);
    if (block.length < raw.length) return { ...tensor, compression: "LZ4", data: block };
  }
  return { ...tensor, compression: "NONE", data: raw };
}

function checksumOf(tensors: Record<TensorField, Tensor>, endState: Uint8Array): number {
  let checksum = 0;
  for (const field of tensorFields) checksum = crc32c(tensors[field].data, checksum);
  return crc32c(endState, checksum);
}

/**
 * A rollout off the wire, every field checked against the run: ids, dtypes, shapes, checksum, state digest, no NaN or
 * Inf, flags 0 or 1, final observations exactly for the truncated cells, actions in range. All arrays are copies with
 * ArrayBuffers of their own (aligned, transferable). Whether run, generation and policy are the ones leased is the
 * caller's question. Throws SHAPE, CORRUPT, MISMATCH or NUMERIC naming the field.
 */
export function decodeRollout(message: RolloutMessage, config: RunConfig, spec: EnvironmentSpec): Rollout {
  const key = checkKey(message, config);
  const truncated = truncatedCount(message, config, spec);
  const layouts = tensorLayouts(config, spec, truncated);
  const tensors = {} as Record<TensorField, Tensor>;
  for (const field of tensorFields) tensors[field] = checkTensor(field, message[field], layouts[field]);
  const checksum = checksumOf(tensors, message.end_state);
  if (checksum !== message.checksum)
    throw badRollout("checksum", "CORRUPT", `is ${message.checksum}, the data give ${checksum}`);
  if (message.end_state.length === 0) throw badRollout("end_state", "SHAPE", "is empty");
  const digest = sha256Hex(message.end_state);
  if (digest !== message.end_state_digest)
    throw badRollout("end_state_digest", "CORRUPT", `is ${message.end_state_digest}, the state gives ${digest}`);
  const data = {} as Record<TensorField, Data>;
  for (const field of tensorFields) data[field] = decodeTensor(field, tensors[field], layouts[field]);
  const rollout: Rollout = {
    key,
    actorId: message.actor_id,
    steps: config.rolloutSteps,
    batch: config.envBatchSize,
    observations: data.observations as Uint8Array | Float32Array,
    initialStack: data.initial_stack as Uint8Array,
    stackRefilled: data.stack_refilled as Uint8Array,
    actions: data.actions as Int32Array | Float32Array,
    logProbs: data.log_probs as Float32Array,
    values: data.values as Float32Array,
    nextValues: data.next_values as Float32Array,
    rewards: data.rewards as Float32Array,
    terminated: data.terminated as Uint8Array,
    truncated: data.truncated as Uint8Array,
    finalIndices: data.final_indices as Int32Array,
    finalObservations: data.final_observations as Uint8Array | Float32Array,
    episodes: message.episodes.map((e) => ({
      step: e.step,
      environment: e.environment,
      return: e.return,
      length: e.length,
    })),
    endState: Uint8Array.from(message.end_state),
    timing: checkTiming(message),
  };
  checkValues(rollout, spec);
  return rollout;
}

/** K as the message claims it; checked against the truncated flags once they are decoded. */
function truncatedCount(message: RolloutMessage, config: RunConfig, spec: EnvironmentSpec): number {
  const shape = message.final_indices?.shape ?? [];
  const { cells } = rolloutLengths(config, spec);
  const count = shape[0];
  if (shape.length !== 1 || count === undefined || count > cells)
    throw badRollout("final_indices", "SHAPE", `has shape [${shape}], expected [K] with K at most ${cells}`);
  return count;
}

function checkTensor(field: TensorField, tensor: Tensor | null, layout: TensorLayout): Tensor {
  if (tensor === null) throw badRollout(field, "SHAPE", "is missing");
  if (tensor.dtype !== layout.dtype)
    throw badRollout(field, "SHAPE", `has dtype ${tensor.dtype}, expected ${layout.dtype}`);
  const { shape } = tensor;
  if (shape.length !== layout.shape.length || shape.some((extent, i) => extent !== layout.shape[i]))
    throw badRollout(field, "SHAPE", `has shape [${shape}], expected [${layout.shape}]`);
  const want = product(layout.shape) * elementBytes[layout.dtype];
  // proto-loader gives an enum's unknown number as it is
  if (tensor.compression !== "NONE" && tensor.compression !== "LZ4")
    throw badRollout(field, "SHAPE", `has compression ${tensor.compression}, expected NONE or LZ4`);
  if (tensor.compression === "NONE" && tensor.data.length !== want)
    throw badRollout(field, "SHAPE", `has ${tensor.data.length} bytes, expected ${want}`);
  return tensor;
}

function decodeTensor(field: TensorField, tensor: Tensor, layout: TensorLayout): Data {
  const want = product(layout.shape) * elementBytes[layout.dtype];
  const raw = tensor.compression === "LZ4" ? decompress(field, tensor.data, want) : Uint8Array.from(tensor.data);
  if (layout.dtype === "UINT8") return raw;
  return layout.dtype === "INT32" ? new Int32Array(raw.buffer) : new Float32Array(raw.buffer);
}

/** The decoded length comes from the run's shapes, never from the message, so a bad one cannot ask for memory. */
function decompress(field: TensorField, block: Uint8Array, want: number): Uint8Array<ArrayBuffer> {
  const prefixed = Buffer.allocUnsafe(4 + block.length);
  prefixed.writeUInt32LE(want);
  prefixed.set(block, 4);
  let raw: Buffer;
  try {
    raw = uncompressSync(prefixed);
  } catch (cause) {
    throw badRollout(field, "CORRUPT", "is not an LZ4 block of its shape", { cause });
  }
  if (raw.length !== want) throw badRollout(field, "CORRUPT", `decodes to ${raw.length} bytes, expected ${want}`);
  const { buffer } = raw;
  const whole = raw.byteOffset === 0 && buffer.byteLength === want && buffer instanceof ArrayBuffer;
  return whole ? new Uint8Array(buffer) : Uint8Array.from(raw);
}
