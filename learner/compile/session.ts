import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { messageOf, OperatorError } from "../../shared/errors.ts";
import { nativeParts } from "../../shared/nativeParts.ts";
import { type ConfigProto, encodeConfigProto } from "./tensorflowProto.ts";

export type TensorArray = Float32Array | Int32Array | Uint8Array;

/** A prepared call (session/addon.cc): arrays in the order of its feeds and fetches, of exactly their dtypes and lengths. */
export interface PreparedCall {
  run(inputs: readonly TensorArray[], outputs: readonly TensorArray[]): void;
  /** The same, and gives the serialized RunMetadata. */
  profile(inputs: readonly TensorArray[], outputs: readonly TensorArray[]): Uint8Array;
}

/** A TensorFlow session (session/addon.cc). Errors of TensorFlow have a `code` such as TF_INVALID_ARGUMENT. */
export interface Session {
  prepare(feeds: readonly string[], fetches: readonly string[], targets: readonly string[]): PreparedCall;
  close(): void;
}

interface SessionAddon {
  readonly Session: new (graphDef: Uint8Array, config: Uint8Array) => Session;
}

export interface SessionSettings {
  readonly threads: number; // of one operation: part of what decides the result's last bits
  readonly operations: number; // that may run at the same time, each on a thread of its own: decides no bit
  readonly device: "cpu" | "gpu";
}

/**
 * How many operations a graph's session runs at the same time. The layers of the actor and of the critic, and the two
 * products of each layer's gradient, need nothing of each other. No result depends on it: an operation computes the same
 * whenever its inputs are there, and a variable changes only after all that read it (updateGraph.ts). Two networks with
 * two products each make four; more than two cores were not measured. A GPU takes them one by one.
 */
export function operationsAtOnce(device: "cpu" | "gpu"): number {
  return device === "gpu" ? 1 : Math.min(4, availableParallelism());
}

/** A session that runs `graphDef`. Throws SETUP if the addon is missing. */
export function createSession(graphDef: Uint8Array, { threads, operations, device }: SessionSettings): Session {
  const config: ConfigProto = {
    intraOpParallelismThreads: threads,
    interOpParallelismThreads: operations,
    usePerSessionThreads: true, // else the process's first session decides for all
    allowSoftPlacement: true,
    gpuOptions: { allowGrowth: true },
    ...(device === "cpu" ? { deviceCount: { GPU: 0 } } : {}),
  };
  const { Session } = loadAddon();
  return new Session(graphDef, encodeConfigProto(config));
}

function loadAddon(): SessionAddon {
  const file = nativeParts().addons.session;
  if (file === null)
    throw new OperatorError("SETUP", "The TensorFlow session addon is not built.", "Run: npm run setup");
  try {
    return createRequire(import.meta.url)(file) as SessionAddon;
  } catch (cause) {
    throw new OperatorError("SETUP", `${file} cannot be loaded: ${messageOf(cause)}`, "Run: npm run setup", { cause });
  }
}
