import "./withoutTelemetry.ts";

import { InferenceSession, Tensor } from "onnxruntime-node";
import type { EnvironmentSpec, ObservationArray } from "../shared/environment.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import { onnxNames } from "../shared/policySnapshot.ts";

/** One thread: results must not depend on the machine's cores, and parallelism is the actor's workers. */
const sessionOptions: InferenceSession.SessionOptions = {
  executionProviders: ["cpu"],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: "sequential",
  logSeverityLevel: 3,
};

const remedy =
  "If it is a file, copy it from a backup or export it again; if the learner sent it, restart the learner, which publishes it anew.";
const corrupt = (source: string, what: string, options?: ErrorOptions): OperatorError =>
  new OperatorError("CORRUPT", `${source} ${what.replace(/\.$/, "")}.`, remedy, options); // onnxruntime ends some with a full stop

async function openSession(bytes: Uint8Array, source: string): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(bytes, sessionOptions);
  } catch (cause) {
    throw corrupt(source, `is not an ONNX model that onnxruntime can run: ${messageOf(cause)}`, { cause });
  }
}

/**
 * A policy snapshot (shared/policySnapshot.ts) ready to run at one batch size E. Inputs and outputs are arrays made
 * once: write `observations`, `await run()`, read the outputs. Not for concurrent runs.
 */
export class Policy {
  readonly size: number; // E
  readonly observations: Uint8Array | Float32Array; // [E, ...shape]
  readonly preferences: Float32Array; // [E, A] discrete: logits; continuous: mean
  readonly logStd: Float32Array | null; // [E, A] continuous only
  readonly values: Float32Array; // [E]
  readonly #session: InferenceSession;
  readonly #feeds: InferenceSession.OnnxValueMapType;
  readonly #fetches: InferenceSession.OnnxValueMapType;
  readonly #source: string;

  private constructor(session: InferenceSession, spec: EnvironmentSpec, size: number, source: string) {
    const { shape, dtype } = spec.observation;
    const inputs = size * shape.reduce((all, extent) => all * extent, 1);
    const discrete = spec.action.kind === "discrete";
    const actions = spec.action.kind === "discrete" ? spec.action.count : spec.action.low.length;
    this.size = size;
    this.observations = dtype === "uint8" ? new Uint8Array(inputs) : new Float32Array(inputs);
    this.preferences = new Float32Array(size * actions);
    this.logStd = discrete ? null : new Float32Array(size * actions);
    this.values = new Float32Array(size);
    const observed = dtype === "uint8" ? "uint8" : "float32";
    this.#feeds = { [onnxNames.observations]: new Tensor(observed, this.observations, [size, ...shape]) };
    this.#fetches = {
      [discrete ? onnxNames.logits : onnxNames.mean]: new Tensor("float32", this.preferences, [size, actions]),
      ...(this.logStd && { [onnxNames.logStd]: new Tensor("float32", this.logStd, [size, actions]) }),
      [onnxNames.value]: new Tensor("float32", this.values, [size]),
    };
    this.#session = session;
    this.#source = source;
  }

  /**
   * Throws CORRUPT where the bytes are no ONNX model, MISMATCH where its inputs or outputs do not fit the environment.
   * `source` names it in messages.
   */
  static async load(bytes: Uint8Array, spec: EnvironmentSpec, size: number, source: string): Promise<Policy> {
    const session = await openSession(bytes, source);
    try {
      checkInterface(session, spec, source);
      const policy = new Policy(session, spec, size, source);
      await policy.run(); // a graph that cannot run shows here, not in the middle of a rollout
      return policy;
    } catch (error) {
      await session.release();
      throw error;
    }
  }

  /** Throws CORRUPT where the bytes are no policy snapshot; `source` names it in messages. */
  static async check(bytes: Uint8Array, source: string): Promise<void> {
    const session = await openSession(bytes, source);
    const names = [...session.inputNames, ...session.outputNames];
    await session.release();
    const parameters = names.includes(onnxNames.logits) ? [] : [onnxNames.mean, onnxNames.logStd];
    const missing = [onnxNames.observations, onnxNames.value, ...parameters].find((name) => !names.includes(name));
    if (missing !== undefined)
      throw corrupt(source, `has no input or output named ${missing}: it is no policy of Anchorage`);
  }

  /** Copies E observations in; float64 ones become float32. */
  observe(observations: ObservationArray): void {
    this.observations.set(observations);
  }

  /** `observations` -> `preferences`, `logStd`, `values`. Rejects with CORRUPT. */
  async run(): Promise<void> {
    try {
      await this.#session.run(this.#feeds, this.#fetches);
    } catch (cause) {
      throw corrupt(this.#source, `does not run: ${messageOf(cause)}`, { cause });
    }
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
}

function checkInterface(session: InferenceSession, spec: EnvironmentSpec, source: string): void {
  const { observation, action } = spec;
  const size = action.kind === "discrete" ? action.count : action.low.length;
  const outputs: [string, number[]][] =
    action.kind === "discrete"
      ? [[onnxNames.logits, [size]]]
      : [
          [onnxNames.mean, [size]],
          [onnxNames.logStd, [size]],
        ];
  outputs.push([onnxNames.value, []]);
  checkValue(
    session.inputMetadata,
    onnxNames.observations,
    observation.dtype === "uint8" ? "uint8" : "float32",
    observation.shape,
    source,
  );
  for (const [name, shape] of outputs) checkValue(session.outputMetadata, name, "float32", shape, source);
}

/** `shape` without the batch, which must be symbolic. */
function checkValue(
  metadata: readonly InferenceSession.ValueMetadata[],
  name: string,
  dtype: string,
  shape: readonly number[],
  source: string,
): void {
  const value = metadata.find((candidate) => candidate.name === name);
  const mismatch = (what: string): OperatorError =>
    new OperatorError(
      "MISMATCH",
      `${source}: ${name} ${what}.`,
      "Use a policy that was trained on this environment with these envOptions.",
    );
  if (!value?.isTensor) throw mismatch(`is missing (it has ${metadata.map((m) => m.name).join(", ")})`);
  if (value.type !== dtype) throw mismatch(`has dtype ${value.type}, expected ${dtype}`);
  const [batch, ...rest] = value.shape;
  const fits =
    typeof batch === "string" && rest.length === shape.length && rest.every((extent, i) => extent === shape[i]);
  if (!fits) throw mismatch(`has shape [${value.shape.join(", ")}], expected [E, ${shape.join(", ")}]`);
}
