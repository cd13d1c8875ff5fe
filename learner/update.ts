import type { RunConfig } from "../shared/runConfig.ts";
import type { NetworkSpec } from "./networkSpec.ts";
import type { Objective } from "./objectives/objective.ts";

/** What a minibatch step needs to know of a run: all of it constant while the run lasts, and RunConfig's own names. */
export interface UpdateSettings
  extends Pick<
    RunConfig,
    | "algo"
    | "epsPos"
    | "epsNeg"
    | "clip"
    | "gamma"
    | "omega1"
    | "omega2"
    | "papoK"
    | "referenceKlCoef"
    | "objectiveOptions"
    | "entropyCoef"
    | "valueCoef"
    | "valueClip"
    | "maxGradNorm"
    | "adamBeta1"
    | "adamBeta2"
    | "adamEps"
    | "normalizeAdvantages"
  > {
  readonly objective?: Objective; // the user's own, where algo is a path
  readonly network: NetworkSpec;
  readonly minibatchSize: number; // M
  readonly threads: number; // TensorFlow's intra-op threads
  readonly onednn: "auto" | "on" | "off";
  readonly device: "auto" | "cpu" | "gpu";
}

/** M samples, sample-major; every array has exactly the length its shape gives. Read during `step`, not kept. */
export interface Minibatch {
  readonly observations: Float32Array | Uint8Array; // [M, ...input] normalised floats, or uint8 frames [M, H, W, S]
  readonly actions: Int32Array | Float32Array; // [M] indices of a categorical policy, or [M, A] unclipped samples of a gaussian one
  readonly logProbs: Float32Array; // [M] of the action, under the policy that acted
  readonly advantages: Float32Array; // [M] not normalised
  readonly returns: Float32Array; // [M] value targets
  readonly values: Float32Array; // [M] V of the policy that acted
  // Only where the run's objective needs them (objectives/objective.ts):
  readonly klCoef?: Float32Array; // [] one number, weight of the KL in this update
  readonly oldPolicy?: Float32Array; // [M, W] the policy at the update's start: logits, or means and log standard deviations
  readonly tdErrors?: Float32Array; // [M] one-step TD errors, not normalised
  readonly referenceLogRatios?: Float32Array; // [M] ln pi_ref(a|s) less logProbs
}

/** Of one minibatch, before its weights change. */
export interface StepMetrics {
  readonly loss: number; // policyLoss + valueCoef * valueLoss - entropyCoef * entropy
  readonly policyLoss: number;
  readonly valueLoss: number;
  readonly entropy: number; // nats, mean over the samples
  readonly approxKl: number; // mean((r - 1) - ln r)
  readonly clipFraction: number; // share of samples with |r - 1| > eps
  readonly gradientNorm: number; // global, before clipping
  readonly ratioMin: number;
  readonly ratioMax: number;
}

/** The functions of policyFunctions.ts. */
export type PolicyFunctionName = "policy" | "surrogate" | "surrogateGradient" | "fisherProduct";

/** Arrays by the names of the function's inputs. */
export type FunctionInputs = Readonly<Record<string, Float32Array | Int32Array | Uint8Array>>;

/** Parameters by ParameterSpec name, or one Adam slot of each. */
export type ParameterArrays = Record<string, Float32Array>;

/** Adam's state: `m` and `v` are the first and second moments, not bias-corrected; `step` counts the steps taken. */
export interface OptimizerState {
  readonly step: number;
  readonly m: ParameterArrays;
  readonly v: ParameterArrays;
}

/**
 * Holds the weights and Adam's slots and takes minibatch steps. Two implementations that must agree: CompiledUpdate (one
 * TensorFlow graph, what runs) and EagerUpdate (plain tfjs, the reference). All calls are synchronous: they belong into
 * the trainer's worker thread.
 */
export interface UpdateEngine {
  /** Throws SHAPE unless there is exactly one array of the right length for every parameter. Leaves the optimizer alone. */
  setParameters(parameters: Readonly<ParameterArrays>): void;
  parameters(): ParameterArrays;
  setOptimizer(state: OptimizerState): void;
  optimizer(): OptimizerState;
  /**
   * One step of Adam. Throws SHAPE for a wrong minibatch, and NUMERIC if the loss or the gradient norm is not finite: then
   * weights, slots and step count are as before.
   */
  step(minibatch: Minibatch, learningRate: number): StepMetrics;
  /**
   * What a function of policyFunctions.ts says about M samples under the present weights, which stay as they are. Throws
   * SHAPE for an input of the wrong length or dtype.
   */
  evaluate(name: PolicyFunctionName, inputs: FunctionInputs): Record<string, Float32Array>;
  close(): void;
}
