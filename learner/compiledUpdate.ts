import { messageOf, OperatorError } from "../shared/errors.ts";
import {
  checkFunctionInputs,
  checkLearningRate,
  checkMinibatch,
  checkOptimizer,
  checkParameterArrays,
} from "./checkInputs.ts";
import {
  createSession,
  operationsAtOnce,
  type PreparedCall,
  type Session,
  type TensorArray,
} from "./compile/session.ts";
import { buildUpdateGraph, names, type VariableKind, variableKinds } from "./compile/updateGraph.ts";
import { metricOrder, stepMetrics } from "./minibatchGradient.ts";
import { type InputSpec, minibatchInputs } from "./minibatchInputs.ts";
import { type ParameterSpec, parameterSpecs } from "./networkSpec.ts";
import { isFiniteStep, notFiniteError } from "./notFinite.ts";
import { policyFunction, policyFunctionsOf } from "./policyFunctions.ts";
import { loadTensorFlow, usedDevice } from "./tensorflow.ts";
import type {
  FunctionInputs,
  Minibatch,
  OptimizerState,
  ParameterArrays,
  PolicyFunctionName,
  StepMetrics,
  UpdateEngine,
  UpdateSettings,
} from "./update.ts";

/**
 * The update that runs: the minibatch step traced once into a TensorFlow graph, weights and Adam's slots as variables of
 * its session. The number of steps taken is kept here, beside them. New: all weights and slots are 0.
 */
export class CompiledUpdate implements UpdateEngine {
  readonly #settings: UpdateSettings;
  readonly #specs: readonly ParameterSpec[];
  readonly #session: Session;
  readonly #inputs: readonly InputSpec[];
  readonly #functions: ReadonlyMap<PolicyFunctionName, PreparedCall>;
  readonly #step: PreparedCall;
  readonly #diagnose: PreparedCall;
  readonly #read: Record<VariableKind, PreparedCall>;
  readonly #write: Record<VariableKind, PreparedCall>;
  readonly #metrics = new Float32Array(metricOrder.length);
  #stepsTaken = 0;

  /** `operations`: how many TensorFlow operations run at the same time. Changes how fast a step is, none of its bits. */
  constructor(settings: UpdateSettings, operations: number = operationsAtOnce(usedDevice(settings.device))) {
    this.#settings = settings;
    this.#specs = parameterSpecs(settings.network);
    const definition = buildUpdateGraph(loadTensorFlow(settings), settings);
    const { threads, device } = settings;
    const session = createSession(definition, { threads, operations, device: usedDevice(device) });
    this.#inputs = minibatchInputs(settings);
    const minibatch = this.#inputs.map(({ name }) => names.input("minibatch", name));
    this.#session = session;
    this.#step = session.prepare([...minibatch, names.stepSize, names.epsilon], [names.metrics], [names.step]);
    this.#diagnose = session.prepare(minibatch, [names.metrics], []);
    this.#functions = new Map(
      policyFunctionsOf(settings).map(([name, { inputs, outputs }]) => {
        const feeds = inputs(settings).map((input) => names.input(name, input.name));
        const fetches = outputs(settings).map((output) => names.output(name, output.name));
        return [name, session.prepare(feeds, fetches, [])];
      }),
    );
    const perParameter = (name: typeof names.given, kind: VariableKind): string[] =>
      this.#specs.map((spec) => name(kind, spec.name));
    const read = (kind: VariableKind): PreparedCall => session.prepare([], perParameter(names.current, kind), []);
    const write = (kind: VariableKind): PreparedCall =>
      session.prepare(perParameter(names.given, kind), [], [names.assign(kind)]);
    this.#read = { weight: read("weight"), m: read("m"), v: read("v") };
    this.#write = { weight: write("weight"), m: write("m"), v: write("v") };
    for (const kind of variableKinds) this.#write[kind].run(this.#zeros(), []);
  }

  setParameters(parameters: Readonly<ParameterArrays>): void {
    checkParameterArrays(this.#settings.network, "parameters", parameters);
    this.#assign("weight", parameters);
  }

  parameters(): ParameterArrays {
    return this.#current("weight");
  }

  setOptimizer(state: OptimizerState): void {
    checkOptimizer(this.#settings.network, state);
    this.#assign("m", state.m);
    this.#assign("v", state.v);
    this.#stepsTaken = state.step;
  }

  optimizer(): OptimizerState {
    return { step: this.#stepsTaken, m: this.#current("m"), v: this.#current("v") };
  }

  step(minibatch: Minibatch, learningRate: number): StepMetrics {
    const inputs = this.#stepInputs(minibatch, learningRate);
    try {
      this.#step.run(inputs, [this.#metrics]);
    } catch (cause) {
      throw this.#stepError(inputs, cause);
    }
    this.#stepsTaken += 1;
    return stepMetrics(this.#metrics);
  }

  /** A step that also gives TensorFlow's RunMetadata: where its time goes (compile/tensorflowProto.ts, operationTimes). */
  profile(minibatch: Minibatch, learningRate: number): Uint8Array {
    const metadata = this.#step.profile(this.#stepInputs(minibatch, learningRate), [this.#metrics]);
    this.#stepsTaken += 1;
    return metadata;
  }

  evaluate(name: PolicyFunctionName, inputs: FunctionInputs): Record<string, Float32Array> {
    const { inputs: wanted, outputs } = policyFunction(name);
    checkFunctionInputs(name, wanted(this.#settings), inputs);
    const results = outputs(this.#settings).map((output) => [output.name, zeros(output.shape)] as const);
    const arrays = wanted(this.#settings).map((input) => inputs[input.name]!);
    this.#functions.get(name)!.run(
      arrays,
      results.map(([, array]) => array),
    );
    return Object.fromEntries(results);
  }

  close(): void {
    this.#session.close();
  }

  /** In the order of minibatchInputs, then Adam's two. */
  #stepInputs(minibatch: Minibatch, learningRate: number): TensorArray[] {
    checkMinibatch(this.#settings, minibatch);
    checkLearningRate(learningRate);
    const { adamBeta1, adamBeta2, adamEps } = this.#settings;
    const t = this.#stepsTaken + 1;
    const correction = Math.sqrt(1 - adamBeta2 ** t);
    const stepSize = Float32Array.of((learningRate * correction) / (1 - adamBeta1 ** t));
    const epsilon = Float32Array.of(adamEps * correction);
    return [...this.#inputs.map(({ name }) => minibatch[name]!), stepSize, epsilon];
  }

  /** What a failed step means: its numbers are computed again, without applying them. */
  #stepError(inputs: readonly TensorArray[], cause: unknown): unknown {
    if ((cause as { code?: unknown }).code !== "TF_INVALID_ARGUMENT") return updateFailed(cause);
    this.#diagnose.run(inputs.slice(0, this.#inputs.length), [this.#metrics]);
    const metrics = stepMetrics(this.#metrics);
    return isFiniteStep(metrics) ? updateFailed(cause) : notFiniteError(metrics, this.#stepsTaken);
  }

  #assign(kind: VariableKind, arrays: Readonly<ParameterArrays>): void {
    const inputs = this.#specs.map(({ name }) => arrays[name]!);
    this.#write[kind].run(inputs, []);
  }

  #current(kind: VariableKind): ParameterArrays {
    const arrays = this.#zeros();
    this.#read[kind].run([], arrays);
    return Object.fromEntries(this.#specs.map(({ name }, i) => [name, arrays[i]!]));
  }

  #zeros(): Float32Array[] {
    return this.#specs.map(({ shape }) => zeros(shape));
  }
}

function zeros(shape: readonly number[]): Float32Array {
  return new Float32Array(shape.reduce((a, b) => a * b, 1));
}

function updateFailed(cause: unknown): OperatorError {
  const remedy = "If memory is short, use more minibatches; else report this with the run's config.";
  return new OperatorError("SETUP", `TensorFlow could not take the minibatch step: ${messageOf(cause)}.`, remedy, {
    cause,
  });
}
