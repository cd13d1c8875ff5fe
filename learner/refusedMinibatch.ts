import { traitsOf } from "../shared/algorithms.ts";
import { buildId } from "../shared/build.ts";
import { refusedMinibatchName } from "../shared/checkpointTransfer.ts";
import { OperatorError } from "../shared/errors.ts";
import type { InputSpec } from "./minibatchInputs.ts";
import { type NetworkSpec, parameterSpecs } from "./networkSpec.ts";
import { logRatios } from "./policyRows.ts";
import { encodeTensorFile } from "./safetensors.ts";
import type { NamedTensor, TrainerSettings } from "./trainer.ts";
import type { Minibatch, UpdateEngine } from "./update.ts";

/** Raised when a reader of the old version would misread the new one; docs/runFolder.md describes it. */
const refusedMinibatchFormat = 1;

/** Where in a run a step is. */
export interface StepPlace {
  readonly round: number; // of update round + 1
  readonly epoch: number; // from 0
  readonly minibatch: number; // of the epoch, from 0
  readonly learningRate: number;
  readonly samples: Int32Array; // [M] each sample's place in the round: t * envs + environment
}

/** What a run's minibatches consist of. */
export interface MinibatchOutline {
  readonly settings: TrainerSettings;
  readonly network: NetworkSpec;
  readonly inputs: readonly InputSpec[];
}

/** A step that was refused, with its minibatch as the file that docs/runFolder.md describes. */
export class RefusedMinibatch extends OperatorError {
  readonly file: Uint8Array;

  constructor(problem: string, remedy: string, file: Uint8Array, options?: ErrorOptions) {
    super("NUMERIC", problem, remedy, options);
    this.file = file;
  }
}

/**
 * The engine's refusal of a step, with all that it takes to look for the reason: the minibatch, the weights, which are
 * those before the step, and the ratios that they give.
 */
export function refusedMinibatch(
  refusal: OperatorError,
  engine: UpdateEngine,
  minibatch: Minibatch,
  place: StepPlace,
  outline: MinibatchOutline,
): RefusedMinibatch {
  const { network, inputs, settings } = outline;
  const tensors: Record<string, NamedTensor> = { sample: tensor([place.samples.length], place.samples) };
  for (const { name, shape } of inputs) tensors[name] = tensor(shape, minibatch[name]!);
  if (traitsOf(settings.config.algo).ratio !== false) {
    const { observations, actions, logProbs } = minibatch;
    const rows = engine.evaluate("policy", { observations }).rows!;
    const ratios = logRatios(network.distribution, rows, actions, logProbs).map(Math.exp);
    tensors.ratio = tensor([ratios.length], ratios);
  }
  const weights = engine.parameters();
  for (const { name, shape } of parameterSpecs(network)) tensors[`weight.${name}`] = tensor(shape, weights[name]!);
  const { config, runId, spec } = settings;
  const facts = {
    format: "anchorage-refused-minibatch",
    formatVersion: refusedMinibatchFormat,
    problem: refusal.problem,
    update: place.round + 1,
    epoch: place.epoch,
    minibatch: place.minibatch,
    learningRate: place.learningRate,
    runId,
    build: buildId(),
    config,
    environmentSpec: spec,
  };
  const metadata = Object.fromEntries(Object.entries(facts).map(([key, value]) => [key, JSON.stringify(value)]));
  const where = `Update ${place.round + 1}, epoch ${place.epoch + 1}, minibatch ${place.minibatch + 1}: `;
  const file = encodeTensorFile({ metadata, tensors });
  return new RefusedMinibatch(`${where}${refusal.problem}`, refusal.remedy, file, { cause: refusal });
}

/** The same error, saying what became of its minibatch. @param refused why it could not be stored; empty: it is stored */
export function withFate(error: RefusedMinibatch, refused: string): RefusedMinibatch {
  const fate =
    refused === ""
      ? `The minibatch and the weights are in the run folder as ${refusedMinibatchName}; docs/runFolder.md opens it.`
      : `The minibatch could not be stored in the run folder: ${refused}.`;
  const remedy = `${fate} ${error.remedy}`;
  return new RefusedMinibatch(error.problem, remedy, error.file, { cause: error.cause });
}

function tensor(shape: readonly number[], data: Float32Array | Int32Array | Uint8Array): NamedTensor {
  const dtype = data instanceof Float32Array ? "F32" : data instanceof Int32Array ? "I32" : "U8";
  return { dtype, shape, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}
