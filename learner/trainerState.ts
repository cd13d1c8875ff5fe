import { OperatorError } from "../shared/errors.ts";
import { type NetworkSpec, parameterSpecs } from "./networkSpec.ts";
import type { ReferenceNumbers } from "./referencePolicy.ts";
import type { RewardScalingState } from "./rewardScaling.ts";
import type { Moments } from "./runningMoments.ts";
import type { NamedTensor, TrainerState } from "./trainer.ts";
import type { OptimizerState, ParameterArrays } from "./update.ts";

/** A TrainerState in the trainer's own terms. docs/checkpoint.md lists the tensors' names. */
export interface TrainerNumbers {
  readonly updates: number;
  readonly weights: ParameterArrays;
  readonly optimizer: OptimizerState;
  readonly observations: ReadonlyMap<number, Moments> | null; // by policy version; null: not normalised
  readonly rewards: RewardScalingState | null; // null: not normalised
  readonly klCoef: number | null; // null: the run's objective does not steer it
  readonly reference: ReferenceNumbers | null; // null: the run's objective needs none
}

type Numbers = Float32Array | Float64Array | BigInt64Array;

/**
 * Tensors weight.NAME, adam.m.NAME and adam.v.NAME for every parameter, adam.step; of the statistics
 * observations.VERSION.{count,mean,variance} and rewards.{count,mean,variance,returns}; objective.kl_coef where it is steered;
 * reference.version, reference.weight.NAME and reference.observations.{count,mean,variance} where there is a reference.
 */
export function encodeTrainerState(numbers: TrainerNumbers, network: NetworkSpec): TrainerState {
  const tensors: Record<string, NamedTensor> = {};
  const add = (name: string, shape: readonly number[], data: Numbers): void => {
    const dtype = data instanceof Float32Array ? "F32" : data instanceof Float64Array ? "F64" : "I64";
    const own = data.slice(); // a snapshot: training goes on
    tensors[name] = { dtype, shape, data: new Uint8Array(own.buffer, own.byteOffset, own.byteLength) };
  };
  const addMoments = (name: string, { count, mean, variance }: Moments): void => {
    add(`${name}.count`, [1], Float64Array.of(count));
    add(`${name}.mean`, [mean.length], mean);
    add(`${name}.variance`, [variance.length], variance);
  };
  const { optimizer } = numbers;
  for (const { name, shape } of parameterSpecs(network)) {
    add(`weight.${name}`, shape, numbers.weights[name]!);
    add(`adam.m.${name}`, shape, optimizer.m[name]!);
    add(`adam.v.${name}`, shape, optimizer.v[name]!);
  }
  add("adam.step", [1], BigInt64Array.of(BigInt(optimizer.step)));
  for (const [version, moments] of numbers.observations ?? []) addMoments(`observations.${version}`, moments);
  if (numbers.rewards !== null) {
    addMoments("rewards", numbers.rewards.moments);
    add("rewards.returns", [numbers.rewards.returns.length], numbers.rewards.returns);
  }
  if (numbers.klCoef !== null) add("objective.kl_coef", [1], Float64Array.of(numbers.klCoef));
  if (numbers.reference !== null) {
    const { version, weights, observations } = numbers.reference;
    add("reference.version", [1], BigInt64Array.of(BigInt(version)));
    for (const { name, shape } of parameterSpecs(network)) add(`reference.weight.${name}`, shape, weights[name]!);
    if (observations !== null) addMoments("reference.observations", observations);
  }
  return { updates: numbers.updates, tensors };
}

export interface StateOutline {
  readonly network: NetworkSpec;
  readonly environments: number;
  readonly observationVersions: readonly number[] | null; // that the state must hold; null: observations are not normalised
  readonly normalizeRewards: boolean;
  readonly steersKlCoef: boolean;
  readonly hasReference: boolean;
}

/** Throws MISMATCH naming the tensor that is missing, too many, or of another dtype or shape. */
export function decodeTrainerState(state: TrainerState, outline: StateOutline): TrainerNumbers {
  const reader = new TensorReader(state);
  const weights: ParameterArrays = {};
  const m: ParameterArrays = {};
  const v: ParameterArrays = {};
  for (const { name, shape } of parameterSpecs(outline.network)) {
    weights[name] = reader.float32(`weight.${name}`, shape);
    m[name] = reader.float32(`adam.m.${name}`, shape);
    v[name] = reader.float32(`adam.v.${name}`, shape);
  }
  const step = reader.integer("adam.step");
  const dimensions = outline.network.input.shape.reduce((product, extent) => product * extent, 1);
  const observations =
    outline.observationVersions === null
      ? null
      : new Map(outline.observationVersions.map((k) => [k, reader.moments(`observations.${k}`, dimensions)]));
  const rewards = outline.normalizeRewards
    ? { moments: reader.moments("rewards", 1), returns: reader.float64("rewards.returns", outline.environments) }
    : null;
  const klCoef = outline.steersKlCoef ? reader.float64("objective.kl_coef", 1)[0]! : null;
  const reference = outline.hasReference ? referenceIn(reader, outline, dimensions) : null;
  reader.checkNoneLeft();
  return { updates: state.updates, weights, optimizer: { step, m, v }, observations, rewards, klCoef, reference };
}

function referenceIn(reader: TensorReader, outline: StateOutline, dimensions: number): ReferenceNumbers {
  const version = reader.integer("reference.version");
  const weights = Object.fromEntries(
    parameterSpecs(outline.network).map(({ name, shape }) => [name, reader.float32(`reference.weight.${name}`, shape)]),
  );
  const normalised = outline.observationVersions !== null;
  return { version, weights, observations: normalised ? reader.moments("reference.observations", dimensions) : null };
}

class TensorReader {
  readonly #tensors: Readonly<Record<string, NamedTensor>>;
  readonly #left: Set<string>;

  constructor(state: TrainerState) {
    this.#tensors = state.tensors;
    this.#left = new Set(Object.keys(state.tensors));
  }

  float32(name: string, shape: readonly number[]): Float32Array {
    return new Float32Array(this.#take(name, "F32", shape, 4));
  }

  float64(name: string, length: number): Float64Array {
    return new Float64Array(this.#take(name, "F64", [length], 8));
  }

  integer(name: string): number {
    return Number(new BigInt64Array(this.#take(name, "I64", [1], 8))[0]);
  }

  moments(name: string, dimensions: number): Moments {
    const count = this.float64(`${name}.count`, 1)[0]!;
    return {
      count,
      mean: this.float64(`${name}.mean`, dimensions),
      variance: this.float64(`${name}.variance`, dimensions),
    };
  }

  checkNoneLeft(): void {
    if (this.#left.size > 0)
      throw mismatch(`holds tensors that this run's trainer has no use for: ${[...this.#left].slice(0, 5).join(", ")}`);
  }

  /** The tensor's bytes in a buffer of their own: the given ones may lie anywhere in a file, not aligned. */
  #take(name: string, dtype: NamedTensor["dtype"], shape: readonly number[], elementBytes: number): ArrayBuffer {
    const tensor = this.#tensors[name];
    if (tensor === undefined) throw mismatch(`has no tensor ${name}`);
    const length = shape.reduce((product, extent) => product * extent, 1) * elementBytes;
    if (tensor.dtype !== dtype || tensor.shape.join() !== shape.join() || tensor.data.byteLength !== length)
      throw mismatch(
        `has ${name} as ${tensor.dtype} [${tensor.shape.join(", ")}] of ${tensor.data.byteLength} bytes, expected ${dtype} [${shape.join(", ")}]`,
      );
    this.#left.delete(name);
    const own = new Uint8Array(length);
    own.set(tensor.data);
    return own.buffer;
  }
}

function mismatch(what: string): OperatorError {
  return new OperatorError(
    "MISMATCH",
    `The trainer's state ${what}.`,
    "Resume with the config that the run began with.",
  );
}
