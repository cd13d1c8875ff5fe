import {
  checkFunctionInputs,
  checkLearningRate,
  checkMinibatch,
  checkOptimizer,
  checkParameterArrays,
} from "./checkInputs.ts";
import type { MinibatchTensors } from "./loss.ts";
import { minibatchGradient, stepMetrics } from "./minibatchGradient.ts";
import { minibatchInputs } from "./minibatchInputs.ts";
import { type ParameterSpec, parameterSpecs } from "./networkSpec.ts";
import { isFiniteStep, notFiniteError } from "./notFinite.ts";
import type { FunctionInput } from "./policyFunction.ts";
import { policyFunction } from "./policyFunctions.ts";
import { loadTensorFlow, type Tensor, type TensorFlow } from "./tensorflow.ts";
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

type AdamState = { weights: Tensor[]; m: Tensor[]; v: Tensor[] };

/**
 * The readable reference of CompiledUpdate: the same loss and gradients, run operation by operation by tfjs, and Adam as
 * Kingma & Ba 2015 write it (arXiv:1412.6980, algorithm 1), epsilon after the bias correction as in PyTorch.
 */
export class EagerUpdate implements UpdateEngine {
  readonly #settings: UpdateSettings;
  readonly #tf: TensorFlow;
  readonly #specs: readonly ParameterSpec[];
  #weights: Tensor[];
  #m: Tensor[];
  #v: Tensor[];
  #step = 0;

  constructor(settings: UpdateSettings) {
    this.#settings = settings;
    this.#tf = loadTensorFlow(settings);
    this.#specs = parameterSpecs(settings.network);
    const zeros = (): Tensor[] => this.#specs.map((spec) => this.#tf.zeros([...spec.shape]));
    this.#weights = zeros();
    this.#m = zeros();
    this.#v = zeros();
  }

  setParameters(parameters: Readonly<ParameterArrays>): void {
    checkParameterArrays(this.#settings.network, "parameters", parameters);
    this.#weights = this.#replaced(this.#weights, parameters);
  }

  parameters(): ParameterArrays {
    return this.#read(this.#weights);
  }

  setOptimizer(state: OptimizerState): void {
    checkOptimizer(this.#settings.network, state);
    this.#m = this.#replaced(this.#m, state.m);
    this.#v = this.#replaced(this.#v, state.v);
    this.#step = state.step;
  }

  optimizer(): OptimizerState {
    return { step: this.#step, m: this.#read(this.#m), v: this.#read(this.#v) };
  }

  step(minibatch: Minibatch, learningRate: number): StepMetrics {
    checkMinibatch(this.#settings, minibatch);
    checkLearningRate(learningRate);
    const tf = this.#tf;
    const next = tf.tidy(() => {
      const tensors = this.#tensors(minibatchInputs(this.#settings), minibatch as unknown as FunctionInputs);
      const batch = tensors as unknown as MinibatchTensors;
      const { metrics, gradients } = minibatchGradient(this.#settings, this.#parameters, batch);
      return { numbers: metrics, ...this.#adam(gradients, learningRate) };
    });
    const metrics = stepMetrics(next.numbers.dataSync() as Float32Array);
    next.numbers.dispose();
    if (!isFiniteStep(metrics)) {
      tf.dispose([next.weights, next.m, next.v]);
      throw notFiniteError(metrics, this.#step);
    }
    tf.dispose([this.#weights, this.#m, this.#v]);
    [this.#weights, this.#m, this.#v] = [next.weights, next.m, next.v];
    this.#step += 1;
    return metrics;
  }

  evaluate(name: PolicyFunctionName, inputs: FunctionInputs): Record<string, Float32Array> {
    const { inputs: wanted, compute } = policyFunction(name);
    checkFunctionInputs(name, wanted(this.#settings), inputs);
    return this.#tf.tidy(() => {
      const results = compute(this.#settings, this.#parameters, this.#tensors(wanted(this.#settings), inputs));
      const arrays = Object.entries(results).map(([key, tensor]) => [key, tensor.dataSync().slice() as Float32Array]);
      return Object.fromEntries(arrays) as Record<string, Float32Array>;
    });
  }

  close(): void {
    this.#tf.dispose([this.#weights, this.#m, this.#v]);
  }

  get #parameters(): Record<string, Tensor> {
    return Object.fromEntries(this.#specs.map((spec, i) => [spec.name, this.#weights[i]!]));
  }

  #adam(gradients: readonly Tensor[], learningRate: number): AdamState {
    const tf = this.#tf;
    const { adamBeta1: beta1, adamBeta2: beta2, adamEps: eps } = this.#settings;
    const t = this.#step + 1;
    const m = gradients.map((g, i) => tf.add(tf.mul(this.#m[i]!, beta1), tf.mul(g, 1 - beta1)));
    const v = gradients.map((g, i) => tf.add(tf.mul(this.#v[i]!, beta2), tf.mul(tf.square(g), 1 - beta2)));
    const weights = gradients.map((_, i) => {
      const mean = tf.div(m[i]!, 1 - beta1 ** t);
      const deviation = tf.sqrt(tf.div(v[i]!, 1 - beta2 ** t));
      return tf.sub(this.#weights[i]!, tf.div(tf.mul(mean, learningRate), tf.add(deviation, eps)));
    });
    return { weights, m, v };
  }

  #tensors(inputs: readonly FunctionInput[], arrays: FunctionInputs): Record<string, Tensor> {
    const tensors = inputs.map(({ name, shape, dtype }) => {
      const array = arrays[name]!;
      const own = dtype === "uint8" ? Float32Array.from(array) : array.slice();
      return [name, this.#tf.tensor(own, [...shape], dtype === "int32" ? "int32" : "float32")] as const;
    });
    return Object.fromEntries(tensors);
  }

  #replaced(old: Tensor[], arrays: Readonly<ParameterArrays>): Tensor[] {
    this.#tf.dispose(old);
    return this.#specs.map(({ name, shape }) => this.#tf.tensor(arrays[name]!.slice(), [...shape], "float32"));
  }

  #read(tensors: readonly Tensor[]): ParameterArrays {
    return Object.fromEntries(this.#specs.map(({ name }, i) => [name, tensors[i]!.dataSync().slice() as Float32Array]));
  }
}
