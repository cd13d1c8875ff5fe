import { Worker } from "node:worker_threads";
import { messageOf, OperatorError } from "../shared/errors.ts";
import type { PolicySnapshot } from "../shared/policySnapshot.ts";
import type { Rollout } from "../shared/rollout.ts";
import { workerFile } from "../shared/workerFile.ts";
import { networkSpec } from "./networkSpec.ts";
import type { TrainingRollout } from "./roundBatch.ts";
import { tensorflowEnvironment } from "./tensorflow.ts";
import type { InitialFile, Trainer, TrainerSettings, TrainerState, UpdateResult } from "./trainer.ts";
import { asError, type TrainerAnswer, type TrainerCall, type TrainerResults } from "./trainerMessages.ts";

interface Waiting {
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/** A Trainer in a worker thread of its own, with TensorFlow in it. The thread ends with `close`, or by its own failure. */
export class TrainerThread implements Trainer {
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #waiting: Waiting[] = []; // calls in order; so are the answers
  #ended: Error | null = null; // why no call can be answered any more

  /** Throws CONFIG where the network does not fit the environment, SETUP where TensorFlow or the build is missing. */
  constructor(settings: TrainerSettings) {
    const { config, spec } = settings;
    const environment = tensorflowEnvironment({ ...settings, network: networkSpec(config, spec) });
    Object.assign(process.env, environment); // TensorFlow's C code sees no other
    this.#worker = new Worker(workerFile("learner/trainerWorker"), { workerData: settings, name: "trainer" });
    this.#worker.on("message", (answer: TrainerAnswer) => this.#answered(answer));
    this.#worker.on("error", (error) => this.#end(threadFailed(`failed: ${messageOf(error)}`, error)));
    this.#exited = new Promise((resolve) => {
      this.#worker.once("exit", (code) => {
        this.#end(threadFailed(`ended with exit code ${code}`));
        resolve();
      });
    });
  }

  initialise(state: TrainerState | null, initial: InitialFile | null = null): Promise<PolicySnapshot> {
    const own = initial && { ...initial, bytes: Uint8Array.from(initial.bytes) };
    return this.#ask<"initialise">({ call: "initialise", state: state && compactState(state), initial: own });
  }

  update(round: number, rollouts: readonly Rollout[]): Promise<UpdateResult> {
    const copies = rollouts.map(compactRollout);
    const buffers = copies.flatMap((copy) => arraysOf(copy).map((array) => array.buffer as ArrayBuffer));
    return this.#ask<"update">({ call: "update", round, rollouts: copies }, buffers);
  }

  state(): Promise<TrainerState> {
    return this.#ask<"state">({ call: "state" });
  }

  /** Waits for a running update. */
  async close(): Promise<void> {
    if (this.#ended === null) {
      const closed = this.#ask<"close">({ call: "close" });
      this.#ended = new Error("the trainer is closed");
      await closed;
    }
    await this.#exited;
  }

  #ask<Call extends TrainerCall["call"]>(
    message: Extract<TrainerCall, { call: Call }>,
    transfer: ArrayBuffer[] = [],
  ): Promise<TrainerResults[Call]> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(message, transfer);
    });
  }

  #answered(answer: TrainerAnswer): void {
    const { resolve, reject } = this.#waiting.shift()!;
    if ("failure" in answer) reject(asError(answer.failure));
    else resolve(answer.result as never);
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

function threadFailed(what: string, cause?: unknown): OperatorError {
  return new OperatorError(
    "SETUP",
    `The trainer's thread ${what}.`,
    "Its last words are above, on stderr; npm run doctor checks TensorFlow. The run resumes from its last checkpoint.",
    { cause },
  );
}

type Numbers = Float32Array | Int32Array | Uint8Array;
const arraysOf = (rollout: TrainingRollout): Numbers[] =>
  Object.values(rollout).filter((field): field is Numbers => ArrayBuffer.isView(field));

/** A Node Buffer's own `slice` would not copy. */
const own = <A extends Numbers>(a: A): A =>
  (a instanceof Float32Array
    ? new Float32Array(a)
    : a instanceof Int32Array
      ? new Int32Array(a)
      : new Uint8Array(a)) as A;

/**
 * What training reads of a rollout, in memory of its own, to be given to the worker: the caller keeps the rollout, whose
 * arrays may share a buffer with anything. One memcpy.
 */
function compactRollout(rollout: Rollout): TrainingRollout {
  const { key, steps, batch } = rollout;
  return {
    key,
    steps,
    batch,
    observations: own(rollout.observations),
    initialStack: new Uint8Array(rollout.initialStack),
    stackRefilled: new Uint8Array(rollout.stackRefilled),
    actions: own(rollout.actions),
    logProbs: new Float32Array(rollout.logProbs),
    values: new Float32Array(rollout.values),
    nextValues: new Float32Array(rollout.nextValues),
    rewards: new Float32Array(rollout.rewards),
    terminated: new Uint8Array(rollout.terminated),
    truncated: new Uint8Array(rollout.truncated),
    finalIndices: new Int32Array(rollout.finalIndices),
    finalObservations: own(rollout.finalObservations),
  };
}

/** Without the buffer around each tensor: a checkpoint's tensors are views of its whole file. */
function compactState(state: TrainerState): TrainerState {
  const own = Object.entries(state.tensors).map(([name, tensor]) => [
    name,
    { ...tensor, data: Uint8Array.from(tensor.data) },
  ]);
  return { updates: state.updates, tensors: Object.fromEntries(own) };
}
