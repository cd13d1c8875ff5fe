import type { Samples } from "./minibatches.ts";
import type { NetworkSpec } from "./networkSpec.ts";
import { normaliseRows, normaliserOf } from "./observationStatistics.ts";
import { logRatios, policyRows } from "./policyRows.ts";
import type { Moments } from "./runningMoments.ts";
import type { ParameterArrays, UpdateEngine } from "./update.ts";

/** A policy version as a function of raw observations. */
export interface ReferenceNumbers {
  readonly version: number;
  readonly weights: ParameterArrays;
  readonly observations: Moments | null; // null: not normalised
}

/**
 * The policy that an objective holds the learned one to: the initial one, or the newest every `every` updates. It belongs to
 * the checkpoint.
 */
export class ReferencePolicy {
  readonly #network: NetworkSpec;
  readonly #every: number | null;
  #numbers: ReferenceNumbers;
  #normalised: Float32Array | null = null;

  constructor(network: NetworkSpec, every: number | null, numbers: ReferenceNumbers) {
    this.#network = network;
    this.#every = every;
    this.#numbers = numbers;
  }

  get numbers(): ReferenceNumbers {
    return this.#numbers;
  }

  /** A version is trained: it becomes the reference if it is its turn. */
  trained(version: number, weights: ParameterArrays, observations: Moments | null): void {
    if (this.#every !== null && version % this.#every === 0) this.#numbers = { version, weights, observations };
  }

  /**
   * Fills in ln pi_ref(a|s) - ln pi_old(a|s) of each sample, pi_old being the policy that acted, and gives the mean k3
   * estimate of KL(pi_old || pi_ref). The engine's weights are as before afterwards.
   * @param observations raw, as the environments gave them
   */
  fill(engine: UpdateEngine, observations: Float32Array | Uint8Array, samples: Samples, minibatchSize: number): number {
    const present = engine.parameters();
    engine.setParameters(this.#numbers.weights);
    const seen = this.#seen(observations);
    const { distribution } = this.#network;
    const { actions, logProbs } = samples;
    const rows = policyRows(engine, distribution, seen, logProbs.length, minibatchSize);
    engine.setParameters(present);
    const ratios = logRatios(distribution, rows, actions, logProbs);
    samples.referenceLogRatios!.set(ratios);
    return ratios.reduce((sum, d) => sum + Math.expm1(Math.min(d, 20)) - d, 0) / ratios.length;
  }

  /** As the reference's own network reads them. */
  #seen(observations: Float32Array | Uint8Array): Float32Array | Uint8Array {
    const { normalize } = this.#network.input;
    const { observations: moments } = this.#numbers;
    if (normalize === null || moments === null) return observations;
    this.#normalised ??= new Float32Array(observations.length);
    const rows = observations.length / moments.mean.length;
    normaliseRows(observations as Float32Array, this.#normalised, normaliserOf(moments), normalize.clip, 0, rows);
    return this.#normalised;
  }
}
