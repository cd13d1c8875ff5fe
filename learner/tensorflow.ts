import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import util from "node:util";
import { isMainThread } from "node:worker_threads";
import { messageOf, OperatorError } from "../shared/errors.ts";
import { nativeParts } from "../shared/nativeParts.ts";
import type { NetworkSpec } from "./networkSpec.ts";

export type TensorFlow = typeof import("@tensorflow/tfjs-node");
export type Tensor = import("@tensorflow/tfjs-node").Tensor;

export interface TensorFlowSettings {
  readonly device: "auto" | "cpu" | "gpu";
  readonly onednn: "auto" | "on" | "off";
  readonly threads: number; // intra-op threads of everything that TensorFlow computes in this process
  readonly network: NetworkSpec; // decides what "auto" means for oneDNN
}

/**
 * The environment variables that TensorFlow's libraries read while they load. A worker thread has only a copy of
 * `process.env`, which C code never sees: whoever starts the thread that will load TensorFlow calls
 * `Object.assign(process.env, tensorflowEnvironment(settings))` on the main thread first.
 *
 * oneDNN "auto" is on for convolutions and off for dense networks: 2.6 times faster and a little slower than Eigen there
 * (bench/compiledStep.ts measures it).
 */
export function tensorflowEnvironment(settings: TensorFlowSettings): Record<string, string> {
  const { trunk, actor, critic } = settings.network;
  const convolutional = [...trunk, ...actor, ...critic].some((layer) => layer.kind === "conv");
  const onednn = settings.onednn === "auto" ? convolutional : settings.onednn === "on";
  const onGpu = usedDevice(settings.device) === "gpu";
  return {
    TF_ENABLE_ONEDNN_OPTS: onednn ? "1" : "0",
    // The process's first session sizes the thread pool of all, whatever their own config says: and tfjs's comes first.
    TF_NUM_INTRAOP_THREADS: String(settings.threads),
    TF_NUM_INTEROP_THREADS: "1",
    TF_CPP_MIN_LOG_LEVEL: process.env.TF_CPP_MIN_LOG_LEVEL ?? "2",
    ...(onGpu ? { TF_DETERMINISTIC_OPS: "1", TF_FORCE_GPU_ALLOW_GROWTH: "true" } : { CUDA_VISIBLE_DEVICES: "-1" }), // a GPU library on a run that asked for the CPU
  };
}

/**
 * The device that a setting means on this machine: "auto" is the GPU where set-up installed TensorFlow for one and one is
 * here. Throws SETUP for "gpu" where either is missing. `devices` is where the system has its devices.
 */
export function usedDevice(device: TensorFlowSettings["device"], devices = "/dev"): "cpu" | "gpu" {
  const installed = installedTensorFlow().device;
  if (device === "gpu" && installed === "cpu")
    throw new OperatorError(
      "SETUP",
      "device=gpu was asked for, and set-up installed TensorFlow for the CPU.",
      "Run set-up on a machine with an NVIDIA GPU (npm run doctor says what it sees), or set device=cpu.",
    );
  if (device === "cpu" || installed === "cpu") return "cpu";
  if (hasGpu(devices)) return "gpu";
  if (device === "auto") return "cpu"; // TensorFlow would compute there, too, as on a GPU that nobody knows
  throw new OperatorError(
    "SETUP",
    `device=gpu was asked for, and no NVIDIA GPU is here: ${devices} has neither nvidia0 nor dxg.`,
    "Give it one (docker run --gpus all; on Kubernetes the overlay gpu and NVIDIA's device plugin), or set device=auto or cpu.",
  );
}

/** What the driver makes for each GPU, and container engines only for those that a container was given; dxg: Windows' WSL 2. */
function hasGpu(devices: string): boolean {
  return readdirSync(devices).some((name) => /^(nvidia\d+|dxg)$/.test(name));
}

let loaded: { readonly tf: TensorFlow; readonly environment: Readonly<Record<string, string>> } | null = null;

/**
 * Loads TensorFlow, once per thread (about a second). Throws SETUP if it is missing, CONFIG if this process already runs it
 * with other settings: device and oneDNN belong to a process, not to a run.
 */
export function loadTensorFlow(settings: TensorFlowSettings): TensorFlow {
  const environment = tensorflowEnvironment(settings);
  if (loaded) {
    checkEnvironment(environment, loaded.environment);
    return loaded.tf;
  }
  if (isMainThread) Object.assign(process.env, environment);
  else checkEnvironment(environment, process.env);
  // tfjs 4.22 calls both: Node 23 removed the one, and either prints a warning where it is left.
  Object.assign(util, { isNullOrUndefined: (x: unknown) => x === null || x === undefined, isArray: Array.isArray });
  const name = installedTensorFlow().device === "gpu" ? "@tensorflow/tfjs-node-gpu" : "@tensorflow/tfjs-node";
  let tf: TensorFlow;
  try {
    tf = createRequire(import.meta.url)(name) as TensorFlow;
  } catch (cause) {
    throw new OperatorError("SETUP", `${name} cannot be loaded: ${messageOf(cause)}`, "Run: npm run setup", { cause });
  }
  if (usedDevice(settings.device) === "gpu") checkGpu(tf);
  loaded = { tf, environment };
  return tf;
}

/** TensorFlow that cannot use a GPU says so in its log alone, and computes on the CPU. */
function checkGpu(tf: TensorFlow): void {
  if ((tf.backend() as unknown as { readonly isUsingGpuDevice: boolean }).isUsingGpuDevice) return;
  throw new OperatorError(
    "SETUP",
    "An NVIDIA GPU is here, and TensorFlow cannot use it.",
    "TF_CPP_MIN_LOG_LEVEL=0 lets it say why (a driver older than CUDA 12.5, CUDA_VISIBLE_DEVICES, another's exclusive use); device=cpu does without.",
  );
}

/** The TensorFlow that this thread has loaded, for pure functions on tensors. Throws if none is: a programming error. */
export function tensorflow(): TensorFlow {
  if (!loaded) throw new Error("loadTensorFlow must be called before tensors are used");
  return loaded.tf;
}

function installedTensorFlow(): { device: "cpu" | "gpu"; library: string } {
  const installed = nativeParts().tensorflow;
  if (!installed) throw new OperatorError("SETUP", "TensorFlow's libraries are not installed.", "Run: npm run setup");
  return installed;
}

function checkEnvironment(want: Record<string, string>, got: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(want))
    if (got[name] !== value)
      throw new OperatorError(
        "CONFIG",
        `TensorFlow needs ${name}=${value} from its start, and this process has ${name}=${got[name] ?? "(not set)"}.`,
        "One process runs TensorFlow with one device and oneDNN setting: start another process for the other, and set tensorflowEnvironment() before starting a worker thread.",
      );
}
