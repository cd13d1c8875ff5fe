import { OperatorError, shapeError } from "../shared/errors.ts";
import { minibatchInputs } from "./minibatchInputs.ts";
import { type NetworkSpec, parameterSpecs } from "./networkSpec.ts";
import type { FunctionInput } from "./policyFunction.ts";
import type { FunctionInputs, Minibatch, OptimizerState, ParameterArrays, UpdateSettings } from "./update.ts";

const elements = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Throws SHAPE unless the minibatch has the lengths and dtypes that the settings say, and its actions exist. */
export function checkMinibatch(settings: UpdateSettings, minibatch: Minibatch): void {
  const { distribution } = settings.network;
  checkFunctionInputs("minibatch", minibatchInputs(settings), minibatch as unknown as FunctionInputs);
  if (distribution.kind !== "categorical") return;
  const wrong = minibatch.actions.findIndex((action: number) => action < 0 || action >= distribution.actions);
  if (wrong >= 0)
    throw new OperatorError(
      "SHAPE",
      `minibatch.actions[${wrong}] is ${minibatch.actions[wrong]}, outside 0..${distribution.actions - 1}.`,
      "Run the same commit and run file in every process.",
    );
}

/** Throws SHAPE unless `given` holds every input, each of its dtype and length; `what` names them. */
export function checkFunctionInputs(what: string, inputs: readonly FunctionInput[], given: FunctionInputs): void {
  for (const { name, shape, dtype } of inputs) {
    requireArray(`${what}.${name}`, given[name], arrayTypes[dtype]);
    requireLength(`${what}.${name}`, given[name]!, elements(shape));
  }
}

/** Throws SHAPE unless `arrays` holds exactly the network's parameters, each of its length; `what` names them. */
export function checkParameterArrays(network: NetworkSpec, what: string, arrays: Readonly<ParameterArrays>): void {
  const specs = parameterSpecs(network);
  const expected = new Set(specs.map((spec) => spec.name));
  const unknown = Object.keys(arrays).find((name) => !expected.has(name));
  const missing = [...expected].find((name) => !Object.hasOwn(arrays, name));
  if (unknown !== undefined || missing !== undefined)
    throw new OperatorError(
      "SHAPE",
      unknown === undefined ? `${what} lack ${missing}.` : `${what} hold ${unknown}, which the network does not have.`,
      "These weights belong to another network: use the run config that they were made with.",
    );
  for (const { name, shape } of specs) {
    requireArray(`${what}.${name}`, arrays[name]!, Float32Array);
    requireLength(`${what}.${name}`, arrays[name]!, elements(shape));
  }
}

/** Throws SHAPE for slots that do not fit the network, CORRUPT for a step count that is none. */
export function checkOptimizer(network: NetworkSpec, state: OptimizerState): void {
  checkParameterArrays(network, "optimizer.m", state.m);
  checkParameterArrays(network, "optimizer.v", state.v);
  if (!Number.isSafeInteger(state.step) || state.step < 0)
    throw new OperatorError("CORRUPT", `optimizer.step is ${state.step}.`, "Resume from another checkpoint.");
}

/** Throws NUMERIC unless the learning rate is finite and not negative. */
export function checkLearningRate(learningRate: number): void {
  if (!(learningRate >= 0 && Number.isFinite(learningRate)))
    throw new OperatorError(
      "NUMERIC",
      `learningRate is ${learningRate}.`,
      "Set learningRate to a number of at least 0.",
    );
}

const arrayTypes = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array } as const;
type ArrayType = typeof Float32Array | typeof Int32Array | typeof Uint8Array;

function requireArray(field: string, got: unknown, wanted: ArrayType): void {
  if (got instanceof wanted) return;
  const name = got === null || got === undefined ? String(got) : Object.getPrototypeOf(got).constructor.name;
  throw new OperatorError(
    "SHAPE",
    `${field} is a ${name}, expected a ${wanted.name}.`,
    "Give the dtype that update.ts states.",
  );
}

function requireLength(field: string, got: ArrayLike<unknown>, want: number): void {
  if (got.length !== want) throw shapeError(field, want, got);
}
