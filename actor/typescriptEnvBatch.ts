import type {
  EnvBatch,
  Environment,
  EnvironmentSpec,
  ObservationArray,
  Picture,
  PictureSize,
  Presentation,
  StepOutcome,
} from "../shared/environment.ts";
import { PhiloxEpisodeRandom } from "../shared/episodeRandom.ts";
import { messageOf, OperatorError, shapeError } from "../shared/errors.ts";
import { canonicalJson } from "../shared/runConfig.ts";
import {
  checkActions,
  checkObservation,
  checkOutcome,
  checkPicture,
  checkSpec,
  misbehaved,
  type Place,
} from "./environmentChecks.ts";
import { continuedStates, decodeStates, type EnvironmentState, encodeStates } from "./typescriptEnvState.ts";

const observationTypes = { uint8: Uint8Array, float32: Float32Array, float64: Float64Array } as const;

/**
 * An EnvBatch over E environments written in TypeScript. An environment that says terminated and truncated at once
 * counts as terminated. One that throws or returns NaN, Inf or a wrong type stops the batch with an error that names
 * environment, episode, step and field; after it only `reset` and `load` work.
 */
export class TypescriptEnvBatch implements EnvBatch {
  readonly spec: EnvironmentSpec;
  readonly size: number;
  readonly observations: ObservationArray;
  readonly finalObservations: ObservationArray;
  readonly rewards: Float32Array;
  readonly rawRewards: Float64Array;
  readonly terminated: Uint8Array;
  readonly truncated: Uint8Array;
  readonly stackRefilled: Uint8Array;
  readonly episodeEnded: Uint8Array;
  readonly episodeReturns: Float64Array;
  readonly episodeLengths: Int32Array;
  readonly presentation: Presentation;

  readonly #environments: readonly Environment[];
  readonly #views: readonly ObservationArray[]; // of observations, one per environment
  readonly #finalViews: readonly ObservationArray[];
  readonly #previous: ObservationArray; // [...shape] the stack before a step, to check how it moved
  readonly #actions: Float32Array; // [E, A] a copy that environments may not spoil for others
  readonly #actionViews: readonly Float32Array[];
  readonly #seeds: BigUint64Array;
  readonly #episodes: Float64Array; // number of the current episode
  readonly #lengths: Int32Array; // steps of it
  readonly #returns: Float64Array; // raw rewards of it
  readonly #randoms: PhiloxEpisodeRandom[] = [];
  readonly #current: { -readonly [K in keyof Place]: Place[K] };
  #running = false;

  /** `source` names the environments in messages. Throws ENVIRONMENT for a wrong spec. */
  constructor(environments: readonly Environment[], source: string) {
    const spec = checkSpec(environments[0]?.spec, source);
    const other = environments.findIndex((environment) => canonicalJson(environment.spec) !== canonicalJson(spec));
    if (other > 0)
      throw new OperatorError(
        "ENVIRONMENT",
        `${source}: the spec of instance ${other} differs from that of instance 0.`,
        "Make it a function of the options alone.",
      );
    const size = environments.length;
    const elements = spec.observation.shape.reduce((all, extent) => all * extent, 1);
    const Observations = observationTypes[spec.observation.dtype];
    const views = (of: ObservationArray): ObservationArray[] =>
      environments.map((_, e) => of.subarray(e * elements, (e + 1) * elements));
    const actionSize = spec.action.kind === "continuous" ? spec.action.low.length : 0;
    this.spec = spec;
    this.presentation = { secondsPerStep: null, actionNames: null, ...environments[0]!.presentation };
    this.size = size;
    this.observations = new Observations(size * elements);
    this.finalObservations = new Observations(size * elements);
    this.rewards = new Float32Array(size);
    this.rawRewards = new Float64Array(size);
    this.terminated = new Uint8Array(size);
    this.truncated = new Uint8Array(size);
    this.stackRefilled = new Uint8Array(size);
    this.episodeEnded = new Uint8Array(size);
    this.episodeReturns = new Float64Array(size);
    this.episodeLengths = new Int32Array(size);
    this.#environments = environments;
    this.#views = views(this.observations);
    this.#finalViews = views(this.finalObservations);
    this.#previous = new Observations(elements);
    this.#actions = new Float32Array(size * actionSize);
    this.#actionViews = environments.map((_, e) => this.#actions.subarray(e * actionSize, (e + 1) * actionSize));
    this.#seeds = new BigUint64Array(size);
    this.#episodes = new Float64Array(size);
    this.#lengths = new Int32Array(size);
    this.#returns = new Float64Array(size);
    this.#current = { id: spec.id, environment: 0, episode: 0, step: 0 };
  }

  reset(seeds: BigUint64Array): void {
    if (seeds.length !== this.size) throw shapeError("EnvBatch.reset seeds", this.size, seeds);
    this.#running = false;
    this.#seeds.set(seeds);
    this.#episodes.fill(-1);
    this.#clearOutcome();
    for (let e = 0; e < this.size; e++) {
      this.#begin(e);
      this.#checkStack(e, null);
    }
    this.#running = true;
  }

  step(actions: Int32Array | Float32Array): void {
    if (!this.#running)
      throw new OperatorError(
        "ENVIRONMENT",
        `${this.spec.id}: step before reset or load, or after an error.`,
        "Call reset or load first.",
      );
    checkActions(actions, this.spec, this.size);
    const discrete = this.spec.action.kind === "discrete";
    if (!discrete) this.#actions.set(actions);
    this.#running = false; // an error below leaves the environments at different steps
    for (let e = 0; e < this.size; e++) this.#stepOne(e, discrete ? actions[e]! : this.#actionViews[e]!);
    this.#running = true;
  }

  #stepOne(e: number, action: number | Float32Array): void {
    const observation = this.#views[e]!;
    const stacked = this.spec.observation.frameStack !== null;
    if (stacked) this.#previous.set(observation);
    const length = ++this.#lengths[e]!;
    const place = this.#place(e);
    let outcome: StepOutcome;
    try {
      outcome = this.#environments[e]!.step(action, observation);
    } catch (cause) {
      throw misbehaved(place, `it threw ${messageOf(cause)}`, { cause });
    }
    checkOutcome(outcome, place);
    checkObservation(observation, place);
    const limit = this.spec.maxEpisodeSteps;
    const terminated = outcome.terminated;
    const truncated = !terminated && (outcome.truncated === true || (limit !== null && length >= limit));
    this.#returns[e]! += outcome.reward;
    this.rewards[e] = outcome.reward;
    this.rawRewards[e] = outcome.reward;
    this.terminated[e] = terminated ? 1 : 0;
    this.truncated[e] = truncated ? 1 : 0;
    this.episodeEnded[e] = terminated || truncated ? 1 : 0;
    if (terminated || truncated) {
      this.#finalViews[e]!.set(observation);
      this.episodeReturns[e] = this.#returns[e]!;
      this.episodeLengths[e] = length;
      this.#begin(e);
    }
    if (stacked) this.#checkStack(e, this.#previous);
  }

  /** Starts the next episode of environment e. */
  #begin(e: number): void {
    const episode = this.#episodes[e]! + 1;
    this.#episodes[e] = episode;
    this.#lengths[e] = 0;
    this.#returns[e] = 0;
    const random = new PhiloxEpisodeRandom(this.#seeds[e]!, episode);
    this.#randoms[e] = random;
    const place = this.#place(e);
    guarded(place, () => this.#environments[e]!.reset(random, this.#views[e]!));
    checkObservation(this.#views[e]!, place);
  }

  /** A rollout sends each frame once, so a stack must move by one frame or be filled with its newest. */
  #checkStack(e: number, previous: ObservationArray | null): void {
    const depth = this.spec.observation.frameStack;
    if (depth === null) return;
    const stack = asBuffer(this.#views[e]!);
    const frame = stack.length / depth;
    const refilled = stack.subarray(frame).equals(stack.subarray(0, stack.length - frame));
    this.stackRefilled[e] = refilled ? 1 : 0;
    if (refilled || previous === null) return;
    if (
      !asBuffer(previous)
        .subarray(frame)
        .equals(stack.subarray(0, stack.length - frame))
    )
      throw misbehaved(this.#place(e), "the frame stack neither moved by one frame nor holds its newest frame only");
  }

  /** One object for all calls: read at once, made new for nobody. */
  #place(e: number): Place {
    const place = this.#current;
    place.environment = e;
    place.episode = this.#episodes[e]!;
    place.step = this.#lengths[e]!;
    return place;
  }

  #clearOutcome(): void {
    for (const array of [
      this.rewards,
      this.rawRewards,
      this.terminated,
      this.truncated,
      this.stackRefilled,
      this.episodeEnded,
    ])
      array.fill(0);
  }

  save(): Uint8Array {
    if (!this.#running)
      throw new OperatorError(
        "ENVIRONMENT",
        `${this.spec.id}: save before reset or load, or after an error.`,
        "Call reset or load first.",
      );
    return encodeStates(
      this.spec,
      this.#environments.map((environment, e) => this.#stateOf(environment, e)),
    );
  }

  #stateOf(environment: Environment, e: number): EnvironmentState {
    const place = this.#place(e);
    const state: unknown = guarded(place, () => environment.save());
    if (!(state instanceof Uint8Array)) throw misbehaved(place, "save did not return a Uint8Array");
    return {
      seed: this.#seeds[e]!,
      episode: this.#episodes[e]!,
      draws: this.#randoms[e]!.draws,
      length: this.#lengths[e]!,
      return: this.#returns[e]!,
      observation: asBuffer(this.#views[e]!),
      state,
    };
  }

  load(bytes: Uint8Array, sources?: Int32Array): void {
    const states = continuedStates(decodeStates(bytes, this.spec, this.size, this.#views[0]!.byteLength), sources);
    const before = this.#running ? this.#environments.map((environment) => environment.save()) : null;
    const randoms = states.map(({ seed, episode, draws }) => new PhiloxEpisodeRandom(seed, episode, draws));
    try {
      states.forEach(({ state }, e) => void this.#environments[e]!.load(state, randoms[e]!));
    } catch (cause) {
      const problem = `${this.spec.id} did not load a state: ${messageOf(cause)}.${this.#takeBack(before)}`;
      throw new OperatorError("CORRUPT", problem, "Mend its load or use another state.", { cause });
    }
    states.forEach(({ seed, episode, length, return: sum, observation }, e) => {
      this.#seeds[e] = seed;
      this.#episodes[e] = episode;
      this.#lengths[e] = length;
      this.#returns[e] = sum;
      this.#randoms[e] = randoms[e]!;
      asBuffer(this.#views[e]!).set(observation);
    });
    this.#clearOutcome();
    this.#running = true;
  }

  /** Loads what was there before a load that failed; a text if that fails, too: then the batch must be reset. */
  #takeBack(before: readonly Uint8Array[] | null): string {
    this.#running = false;
    if (before === null) return "";
    try {
      for (const [e, state] of before.entries()) this.#environments[e]!.load(state, this.#randoms[e]!);
    } catch (error) {
      return ` Nor did it take back its own, ${messageOf(error)}: the batch must be reset.`;
    }
    this.#running = true;
    return "";
  }

  render(e: number, size: PictureSize): Picture | null {
    const place = this.#place(e);
    return checkPicture(
      guarded(place, () => this.#environments[e]!.render?.(size) ?? null),
      place,
    );
  }

  close(): void {
    this.#running = false; // nothing native to free
  }
}

function asBuffer(array: ObservationArray): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}

function guarded<T>(place: Place, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw misbehaved(place, `it threw ${messageOf(cause)}`, { cause });
  }
}
