import type { EnvBatch } from "../shared/environment.ts";
import { OperatorError } from "../shared/errors.ts";
import { type EpisodeEnd, type Rollout, rolloutLengths } from "../shared/rollout.ts";
import type { RunConfig } from "../shared/runConfig.ts";
import type { ActionSampler } from "./actionSampler.ts";
import type { Policy } from "./policy.ts";

type Identity = Pick<Rollout, "key" | "actorId" | "endState" | "timing">;

/**
 * The arrays of one rollout, made once and filled anew for each: a step copies, it does not allocate. Per step t in
 * order: `observed`, `acted`, `stepped`.
 */
export class RolloutRecorder {
  readonly #batch: EnvBatch;
  readonly #steps: number; // T
  readonly #size: number; // E
  readonly #stack: number | null; // frames
  readonly #observations: Uint8Array | Float32Array;
  readonly #initialStack: Uint8Array;
  readonly #stackRefilled: Uint8Array;
  readonly #newestFrames: readonly Uint8Array[]; // [E] views of the batch's observations: its arrays stay the same
  readonly #actions: Int32Array | Float32Array;
  readonly #logProbs: Float32Array;
  readonly #values: Float32Array;
  readonly #nextValues: Float32Array;
  readonly #rewards: Float32Array;
  readonly #terminated: Uint8Array;
  readonly #truncated: Uint8Array;
  readonly #finalCells: number[] = [];
  readonly #elements: number; // of one observation
  #finals: Uint8Array | Float32Array; // grows to the most truncations seen
  #episodes: EpisodeEnd[] = [];

  constructor(config: RunConfig, batch: EnvBatch) {
    const { spec } = batch;
    const lengths = rolloutLengths(config, spec);
    const { steps, batch: size, cells, observationElements } = lengths;
    const Observations = spec.observation.dtype === "uint8" ? Uint8Array : Float32Array;
    this.#batch = batch;
    this.#steps = steps;
    this.#size = size;
    this.#stack = spec.observation.frameStack;
    this.#elements = observationElements;
    this.#observations = new Observations(lengths.observations);
    this.#initialStack = new Uint8Array(lengths.initialStack);
    this.#stackRefilled = new Uint8Array(lengths.stackRefilled);
    this.#actions =
      spec.action.kind === "discrete" ? new Int32Array(lengths.actions) : new Float32Array(lengths.actions);
    this.#logProbs = new Float32Array(cells);
    this.#values = new Float32Array(cells);
    this.#nextValues = new Float32Array(cells);
    this.#rewards = new Float32Array(cells);
    this.#terminated = new Uint8Array(cells);
    this.#truncated = new Uint8Array(cells);
    this.#finals = new Observations(0);
    this.#newestFrames =
      this.#stack === null ? [] : newestFrames(batch.observations, size, observationElements, this.#stack);
  }

  begin(): void {
    this.#finalCells.length = 0;
    this.#episodes = [];
  }

  /** What the actions of step t answer: `policy` was just given the batch's observations. */
  observed(t: number, policy: Policy): void {
    if (this.#stack === null) this.#observations.set(policy.observations, t * policy.observations.length);
    else if (t === 0) this.#initialStack.set(policy.observations);
    else {
      const frame = this.#elements / this.#stack;
      for (let e = 0; e < this.#size; e++)
        this.#observations.set(this.#newestFrames[e]!, ((t - 1) * this.#size + e) * frame);
      this.#stackRefilled.set(this.#batch.stackRefilled, (t - 1) * this.#size);
    }
  }

  acted(t: number, policy: Policy, sampler: ActionSampler): void {
    this.#actions.set(sampler.actions, t * sampler.actions.length);
    this.#logProbs.set(sampler.logProbs, t * this.#size);
    this.#values.set(policy.values, t * this.#size);
  }

  stepped(t: number): void {
    const { rewards, terminated, truncated, episodeEnded, episodeReturns, episodeLengths } = this.#batch;
    const at = t * this.#size;
    this.#rewards.set(rewards, at);
    this.#terminated.set(terminated, at);
    this.#truncated.set(truncated, at);
    for (let e = 0; e < this.#size; e++) {
      // after a lost life the stack goes on, with two new frames: see Rollout.finalIndices
      const stackGoesOn = this.#stack !== null && t < this.#steps - 1 && this.#batch.stackRefilled[e] === 0;
      if (truncated[e] === 1 || (terminated[e] === 1 && stackGoesOn)) this.#keepFinal(at + e, e);
      if (episodeEnded[e] === 1)
        this.#episodes.push({ step: t, environment: e, return: episodeReturns[e]!, length: episodeLengths[e]! });
    }
  }

  #keepFinal(cell: number, e: number): void {
    const at = this.#finalCells.push(cell) - 1;
    const length = this.#elements;
    if (this.#finals.length < (at + 1) * length) {
      const Observations = this.#finals.constructor as Uint8ArrayConstructor | Float32ArrayConstructor;
      const larger = new Observations(2 * (at + 1) * length);
      larger.set(this.#finals);
      this.#finals = larger;
    }
    this.#finals.set(this.#batch.finalObservations.subarray(e * length, (e + 1) * length), at * length);
  }

  /**
   * V of each step's real next observation. `lastValues` [E]: V of the observations after step T-1. Those of truncated
   * episodes' final observations take further runs, padded with the last of them to the policy's batch size.
   */
  async fillNextValues(lastValues: Float32Array, policy: Policy): Promise<void> {
    this.#nextValues.set(this.#values.subarray(this.#size));
    this.#nextValues.set(lastValues, (this.#steps - 1) * this.#size);
    for (let i = 0; i < this.#nextValues.length; i++) if (this.#terminated[i] === 1) this.#nextValues[i] = 0;
    const truncatedAt = this.#finalCells.map((_, k) => k).filter((k) => this.#truncated[this.#finalCells[k]!] === 1);
    const length = this.#elements;
    for (let from = 0; from < truncatedAt.length; from += this.#size) {
      for (let e = 0; e < this.#size; e++) {
        const k = truncatedAt[Math.min(from + e, truncatedAt.length - 1)]!;
        policy.observations.set(this.#finals.subarray(k * length, (k + 1) * length), e * length);
      }
      await policy.run();
      for (let i = from; i < Math.min(from + this.#size, truncatedAt.length); i++)
        this.#nextValues[this.#finalCells[truncatedAt[i]!]!] = policy.values[i - from]!;
    }
  }

  /** Throws ENVIRONMENT naming the first reward or observation that is NaN or Inf. */
  checkFinite(): void {
    const { id } = this.#batch.spec;
    const check = (what: string, data: Uint8Array | Float32Array, perCell: number): void => {
      if (data instanceof Uint8Array) return;
      for (let i = 0; i < data.length; i++)
        if (!Number.isFinite(data[i])) throw notFinite(id, what, data[i]!, Math.floor(i / perCell), this.#size);
    };
    check("reward", this.#rewards, 1);
    check("observation", this.#observations, this.#elements);
  }

  /** Views this recorder's arrays: valid until the next `begin`. */
  rollout({ key, actorId, endState, timing }: Identity): Rollout {
    return {
      key,
      actorId,
      steps: this.#steps,
      batch: this.#size,
      observations: this.#observations,
      initialStack: this.#initialStack,
      stackRefilled: this.#stackRefilled,
      actions: this.#actions,
      logProbs: this.#logProbs,
      values: this.#values,
      nextValues: this.#nextValues,
      rewards: this.#rewards,
      terminated: this.#terminated,
      truncated: this.#truncated,
      finalIndices: Int32Array.from(this.#finalCells),
      finalObservations: this.#finals.subarray(0, this.#finalCells.length * this.#elements),
      episodes: this.#episodes,
      endState,
      timing,
    };
  }
}

function newestFrames(
  observations: EnvBatch["observations"],
  size: number,
  elements: number,
  stack: number,
): Uint8Array[] {
  const frame = elements / stack;
  return Array.from(
    { length: size },
    (_, e) => observations.subarray((e + 1) * elements - frame, (e + 1) * elements) as Uint8Array,
  );
}

function notFinite(id: string, what: string, value: number, cell: number, size: number): OperatorError {
  const problem = `${id} gave the ${what} ${value} in environment ${cell % size} of the EnvBatch, step ${Math.floor(cell / size)} of the rollout.`;
  return new OperatorError("ENVIRONMENT", problem, "Mend the environment, or its envOptions.");
}
