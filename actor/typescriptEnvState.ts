import { crc32c } from "@node-rs/crc32";
import type { EnvironmentSpec } from "../shared/environment.ts";
import { OperatorError, shapeError } from "../shared/errors.ts";
import { canonicalJson } from "../shared/runConfig.ts";

/** One environment of a TypescriptEnvBatch in the middle of an episode. */
export interface EnvironmentState {
  readonly seed: bigint; // uint64
  readonly episode: number; // which one, from 0
  readonly draws: number; // random numbers of it used
  readonly length: number; // steps of it taken
  readonly return: number; // its raw rewards so far
  readonly observation: Uint8Array; // bytes of [...shape]
  readonly state: Uint8Array; // Environment.save()
}

const magic = Buffer.from("ANCHTSE1"); // the last letter is the format's version
const fixedBytes = 8 + 8 + 8 + 8 + 8 + 4;

/**
 * Layout, little-endian: magic (8); header length (4) and JSON {size, spec}; per environment seed (8), episode, draws,
 * length, return (float64 each), observation, state length (4), state; at last crc32c of all that (4).
 */
export function encodeStates(spec: EnvironmentSpec, states: readonly EnvironmentState[]): Uint8Array {
  const header = Buffer.from(canonicalJson({ size: states.length, spec }));
  const bodies = states.reduce((sum, s) => sum + fixedBytes + s.observation.length + s.state.length, 0);
  const bytes = Buffer.alloc(magic.length + 4 + header.length + bodies + 4);
  let at = magic.copy(bytes, 0);
  at = bytes.writeUInt32LE(header.length, at);
  at += header.copy(bytes, at);
  for (const { seed, episode, draws, length, return: sum, observation, state } of states) {
    at = bytes.writeBigUInt64LE(seed, at);
    for (const value of [episode, draws, length, sum]) at = bytes.writeDoubleLE(value, at);
    bytes.set(observation, at);
    at = bytes.writeUInt32LE(state.length, at + observation.length);
    bytes.set(state, at);
    at += state.length;
  }
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, at)), at);
  return new Uint8Array(bytes.buffer); // not a Buffer, whose slice() is a view
}

const corrupt = (what: string): OperatorError =>
  new OperatorError(
    "CORRUPT",
    `The state of an EnvBatch ${what}.`,
    "It is not used; take it from its checkpoint or actor again.",
  );

const isCount = (value: number, most: number): boolean => Number.isInteger(value) && value >= 0 && value <= most;

function allFinite(observation: Uint8Array, { observation: { dtype } }: EnvironmentSpec): boolean {
  if (dtype === "uint8") return true;
  const { buffer } = Uint8Array.from(observation); // aligned
  return (dtype === "float32" ? new Float32Array(buffer) : new Float64Array(buffer)).every(Number.isFinite);
}

/** Throws CORRUPT for damaged bytes, MISMATCH for the state of another environment or EnvBatch size. */
export function decodeStates(
  given: Uint8Array,
  spec: EnvironmentSpec,
  size: number,
  observationBytes: number,
): EnvironmentState[] {
  const bytes = Buffer.from(given.buffer, given.byteOffset, given.byteLength);
  if (bytes.length < magic.length + 8) throw corrupt(`has only ${bytes.length} bytes`);
  if (!bytes.subarray(0, magic.length).equals(magic)) throw corrupt("is not in the format of TypeScript environments");
  const end = bytes.length - 4;
  if (crc32c(bytes.subarray(0, end)) !== bytes.readUInt32LE(end)) throw corrupt("fails its checksum");
  const headerLength = bytes.readUInt32LE(magic.length);
  let at = magic.length + 4 + headerLength;
  if (at > end) throw corrupt(`claims a header of ${headerLength} bytes`);
  const header = bytes.toString("utf8", magic.length + 4, at);
  const want = canonicalJson({ size, spec });
  if (header !== want)
    throw new OperatorError(
      "MISMATCH",
      `The state belongs to ${header.slice(0, 2000)}, this EnvBatch is ${want}.`,
      "Use the run config that made it.",
    );
  const states: EnvironmentState[] = [];
  for (let e = 0; e < size; e++) {
    if (at + fixedBytes + observationBytes > end) throw corrupt(`ends within environment ${e}`);
    const [episode, draws, length, sum] = [8, 16, 24, 32].map((offset) => bytes.readDoubleLE(at + offset)) as [
      number,
      number,
      number,
      number,
    ];
    // whole numbers in the ranges of the arrays that take them: the checksum is no proof against malice
    if (
      !isCount(episode, Number.MAX_SAFE_INTEGER) ||
      !isCount(draws, Number.MAX_SAFE_INTEGER) ||
      !isCount(length, 0x7ffffffe)
    )
      throw corrupt(`has episode ${episode}, draws ${draws}, length ${length} in environment ${e}`);
    if (!Number.isFinite(sum)) throw corrupt(`has the return ${sum} in environment ${e}`);
    const seed = bytes.readBigUInt64LE(at);
    const observation = bytes.subarray(at + 40, at + 40 + observationBytes);
    const start = at + 40 + observationBytes + 4;
    at = start + bytes.readUInt32LE(start - 4);
    if (at > end) throw corrupt(`ends within environment ${e}`);
    if (!allFinite(observation, spec)) throw corrupt(`has an observation that is not finite in environment ${e}`);
    states.push({
      seed,
      episode,
      draws,
      length,
      return: sum,
      observation,
      state: Uint8Array.from(bytes.subarray(start, at)),
    });
  }
  if (at !== end) throw corrupt(`has ${end - at} bytes too many`);
  return states;
}

/** The saved state that each environment continues from: its own, or its source's. Throws SHAPE for sources that are not there. */
export function continuedStates(
  saved: readonly EnvironmentState[],
  sources: Int32Array | undefined,
): readonly EnvironmentState[] {
  if (sources === undefined) return saved;
  if (sources.length !== saved.length) throw shapeError("EnvBatch.load sources", saved.length, sources);
  return Array.from(sources, (source, e) => {
    const from = saved[source];
    if (from !== undefined) return { ...from, state: from.state.slice() }; // an own one: environments may keep it
    const remedy = `Sources are 0 to ${saved.length - 1}, the snapshot's environments.`;
    throw new OperatorError("SHAPE", `sources[${e}] is ${source}.`, remedy);
  });
}
