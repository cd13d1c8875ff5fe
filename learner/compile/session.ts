import { createRequire } from "node:module";
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

/** A session that runs `graphDef` on the given number of threads. Throws SETUP if the addon is missing. */
export function createSession(graphDef: Uint8Array, threads: number, device: "cpu" | "gpu"): Session {
  const config: ConfigProto = {
    intraOpParallelismThreads: threads,
    interOpParallelismThreads: 1, // operations one after another: the order, and so the result, never varies
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
