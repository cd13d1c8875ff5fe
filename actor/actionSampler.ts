import type { EnvironmentSpec } from "../shared/environment.ts";
import { OperatorError } from "../shared/errors.ts";
import { philoxWords, stream, uniformFrom } from "../shared/seeds.ts";
import type { Policy } from "./policy.ts";

const halfLogTwoPi = 0.5 * Math.log(2 * Math.PI);
const twoPi = 2 * Math.PI;

export interface SamplerSettings {
  readonly action: EnvironmentSpec["action"];
  readonly size: number; // E
  readonly seed: number; // the run's
  /** The most likely action instead of a sample; log-probabilities are then those of that action. */
  readonly deterministic?: boolean;
}

/**
 * Actions and their log-probabilities from a policy's outputs. The noise is a function of (seed, environment, step)
 * alone: block j of it is the Philox block (key: seed; counters: j, environment, step, stream.action).
 * - continuous: block j gives the normals of dimensions 2j and 2j+1 by Box-Muller: radius from words 0 and 1, angle from
 *   2 and 3, cosine first. action = float32(mean + exp(log_std) z), unclipped.
 * - discrete: words 0 and 1 of block 0 give a uniform, which picks by inverse CDF of the softmax.
 * All in float64 from the policy's float32 outputs; the log-probability is that of the float32 action, rounded once.
 */
export class ActionSampler {
  readonly environments: Uint32Array; // [E] global environment indices: set by the caller
  readonly steps: Uint32Array; // [E] global step (round * T + t) of each: set by the caller
  readonly actions: Int32Array | Float32Array; // [E] or [E, A]
  readonly logProbs: Float32Array; // [E]
  readonly #count: number; // A
  readonly #keyLow: number;
  readonly #keyHigh: number;
  readonly #deterministic: boolean;
  readonly #words = new Uint32Array(4);
  readonly #weights: Float64Array; // [A]

  constructor({ action, size, seed, deterministic = false }: SamplerSettings) {
    this.#count = action.kind === "discrete" ? action.count : action.low.length;
    this.environments = new Uint32Array(size);
    this.steps = new Uint32Array(size);
    this.actions = action.kind === "discrete" ? new Int32Array(size) : new Float32Array(size * this.#count);
    this.logProbs = new Float32Array(size);
    this.#weights = new Float64Array(this.#count);
    this.#keyLow = seed % 4294967296;
    this.#keyHigh = Math.floor(seed / 4294967296);
    this.#deterministic = deterministic;
  }

  /** Fills `actions` and `logProbs` for the policy's last run. Throws NUMERIC where the policy gave NaN or Inf. */
  sample(policy: Policy): void {
    const size = this.logProbs.length;
    if (policy.logStd === null) for (let e = 0; e < size; e++) this.#discrete(e, policy.preferences);
    else for (let e = 0; e < size; e++) this.#continuous(e, policy.preferences, policy.logStd);
  }

  #continuous(e: number, means: Float32Array, logStds: Float32Array): void {
    const count = this.#count;
    const actions = this.actions;
    let logProb = 0;
    let cosine = 0;
    let sine = 0;
    for (let a = 0; a < count; a++) {
      const i = e * count + a;
      if (!this.#deterministic && (a & 1) === 0) {
        const w = this.#draw(e, a >> 1);
        const radius = Math.sqrt(-2 * Math.log(1 - uniformFrom(w[0]!, w[1]!)));
        const angle = twoPi * uniformFrom(w[2]!, w[3]!);
        cosine = radius * Math.cos(angle);
        sine = radius * Math.sin(angle);
      }
      const noise = (a & 1) === 0 ? cosine : sine;
      const logStd = logStds[i]!;
      const std = Math.exp(logStd);
      const action = Math.fround(means[i]! + std * noise);
      const z = (action - means[i]!) / std;
      logProb -= 0.5 * z * z + logStd + halfLogTwoPi;
      actions[i] = action;
    }
    if (!Number.isFinite(logProb)) throw notFinite(e, "mean or log_std");
    this.logProbs[e] = logProb;
  }

  #discrete(e: number, logits: Float32Array): void {
    const count = this.#count;
    const start = e * count;
    const weights = this.#weights;
    let largest = Number.NEGATIVE_INFINITY;
    let best = 0;
    for (let a = 0; a < count; a++)
      if (logits[start + a]! > largest) {
        largest = logits[start + a]!;
        best = a;
      }
    let sum = 0;
    for (let a = 0; a < count; a++) {
      const weight = Math.exp(logits[start + a]! - largest);
      weights[a] = weight;
      sum += weight;
    }
    if (!Number.isFinite(sum)) throw notFinite(e, "logits");
    let action = best;
    if (!this.#deterministic) {
      const w = this.#draw(e, 0);
      const target = uniformFrom(w[0]!, w[1]!) * sum;
      let below = 0;
      action = 0;
      for (let a = 0; a < count; a++) {
        if (weights[a]! > 0) action = a; // rounding can leave target above the last sum: the last possible action then
        below += weights[a]!;
        if (target < below) break;
      }
    }
    this.actions[e] = action;
    this.logProbs[e] = logits[start + action]! - largest - Math.log(sum);
  }

  #draw(e: number, block: number): Uint32Array {
    philoxWords(this.#keyLow, this.#keyHigh, block, this.environments[e]!, this.steps[e]!, stream.action, this.#words);
    return this.#words;
  }
}

function notFinite(row: number, what: string): OperatorError {
  const problem = `The policy's ${what} for environment ${row} of the EnvBatch is not finite.`;
  return new OperatorError(
    "NUMERIC",
    problem,
    "Training diverged: lower learningRate, or resume from an older checkpoint.",
  );
}
