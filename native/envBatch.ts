import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type {
  EnvBatch,
  EnvironmentSpec,
  ObservationArray,
  Picture,
  PictureSize,
  Presentation,
} from "../shared/environment.ts";
import { type ErrorCode, messageOf, OperatorError } from "../shared/errors.ts";
import { nativeParts } from "../shared/nativeParts.ts";
import { didYouMean } from "../shared/suggest.ts";
import { atariEnvironment, atariEnvironmentIds, atariGames as gamesIn } from "./atariEnvironments.ts";
import { mujocoEnvironment, mujocoEnvironmentIds } from "./mujocoEnvironments.ts";

export interface NativeEnvBatchSettings {
  readonly id: string;
  readonly size: number; // E
  readonly options: Readonly<Record<string, unknown>>; // see docs/environments.md
}

type Family = "atari" | "mujoco";

/** What native/src/engine/addon.h exports. */
interface Addon {
  readonly Batch: new (options: object, arrays: BatchArrays) => NativeBatch;
  describe(options: object): NativeShape;
}

interface NativeBatch {
  reset(seeds: BigUint64Array): void;
  step(actions: Int32Array | Float32Array): void;
  save(): Uint8Array;
  load(bytes: Uint8Array, sources?: Int32Array): void;
  unstableSteps(): number;
  presentation(): Presentation;
  render(wanted: PictureSize & { readonly environment: number }): Picture;
  close(): void;
}

interface NativeShape {
  readonly dtype: "uint8" | "float32" | "float64";
  readonly shape: number[];
  readonly frameStack: number; // 0: not a stack
  readonly discreteActions: number; // 0: continuous
  readonly actionLow: number[];
  readonly actionHigh: number[];
  readonly framesPerStep: number;
}

type BatchArrays = ReturnType<typeof arraysFor>;

/** Ids of the Atari games whose ROM is here. Throws SETUP if set-up has not run. */
export const atariGames = (): string[] => gamesIn(nativeParts().atariRoms);

/** Every id that `createNativeEnvBatch` can make here: MuJoCo's tasks and the Atari games whose ROM is present. */
export const nativeEnvironmentIds = (): string[] => [...mujocoEnvironmentIds, ...atariGames()];

/** True for ids of these families, also where the ROM is missing (making it then says which). */
export const isNativeEnvironment = (id: string): boolean => familyOf(id) !== null;

function familyOf(id: string): Family | null {
  // Pusher-v4: the MuJoCo family knows it and explains why it cannot be made
  if (mujocoEnvironmentIds.includes(id) || id === "Pusher-v4") return "mujoco";
  return atariEnvironmentIds.includes(id) ? "atari" : null;
}

/**
 * E native environments. Throws ENVIRONMENT for an unknown id, CONFIG naming the option, its value and the remedy,
 * SETUP for a missing addon, model or ROM.
 */
export function createNativeEnvBatch({ id, size, options }: NativeEnvBatchSettings): EnvBatch {
  if (!Number.isInteger(size) || size < 1 || size > 65_536)
    throw new OperatorError("CONFIG", `An EnvBatch of ${size} environments is not possible.`, "Give 1 to 65536.");
  switch (familyOf(id)) {
    case "mujoco":
      return mujocoBatch(id, size, options);
    case "atari":
      return atariBatch(id, size, options);
    case null: {
      const known = [...mujocoEnvironmentIds, ...atariEnvironmentIds];
      const remedy = `${didYouMean(id, known)}List them with: anchorage envs`;
      throw new OperatorError("ENVIRONMENT", `There is no native environment "${id}".`, remedy);
    }
  }
}

function mujocoBatch(id: string, size: number, options: NativeEnvBatchSettings["options"]): EnvBatch {
  const { spec, settings } = mujocoEnvironment(id, options);
  const models = nativeParts().mujocoModels;
  if (models === null)
    throw new OperatorError("SETUP", `${id} needs MuJoCo's robot models, which are not here.`, "Run: npm run setup");
  const identity = identityOf(id, { ...settings.options, frameSkip: settings.frameSkip, limit: spec.maxEpisodeSteps });
  return new NativeEnvBatch("mujoco", spec, size, identity, { ...settings, model: join(models, settings.model) });
}

function atariBatch(id: string, size: number, given: NativeEnvBatchSettings["options"]): EnvBatch {
  const { options, settings } = atariEnvironment(id, given, nativeParts().atariRoms);
  const shape = atariShape(settings);
  const spec: EnvironmentSpec = {
    id,
    observation: { dtype: shape.dtype, shape: shape.shape, frameStack: shape.frameStack },
    action: { kind: "discrete", count: shape.discreteActions },
    maxEpisodeSteps: options.maxEpisodeSteps,
    framesPerStep: shape.framesPerStep,
  };
  return new NativeEnvBatch("atari", spec, size, identityOf(id, options), settings);
}

const shapes = new Map<string, NativeShape>();

/** Asked once for the same settings: the answer takes a console with the game in it, 0.1 CPU-seconds. */
function atariShape(settings: object): NativeShape {
  const key = JSON.stringify(settings);
  const shape = shapes.get(key) ?? calling(() => addon("atari").describe(settings));
  shapes.set(key, shape);
  return shape;
}

/** A snapshot loads only into a batch of the same identity: id and every option, in alphabetical order. */
function identityOf(id: string, options: Readonly<Record<string, unknown>>): string {
  return `${id} ${JSON.stringify(options, Object.keys(options).sort())}`;
}

const loaded = new Map<Family, Addon>();

function addon(family: Family): Addon {
  const known = loaded.get(family);
  if (known) return known;
  const file = nativeParts().addons[family];
  if (file === null || !existsSync(file)) {
    const problem = `The ${family} addon ${file ?? ""} is not here.`.replace("  ", " ");
    throw new OperatorError("SETUP", problem, "Run: npm run setup");
  }
  let made: Addon;
  try {
    made = createRequire(import.meta.url)(file) as Addon;
  } catch (cause) {
    const problem = `The ${family} addon ${file} cannot be loaded: ${messageOf(cause)}.`;
    throw new OperatorError("SETUP", problem, "Run: npm run setup", { cause });
  }
  loaded.set(family, made);
  return made;
}

/** Runs native code; its errors carry a code and a remedy (native/src/engine/error.h). */
function calling<T>(act: () => T): T {
  try {
    return act();
  } catch (cause) {
    const { code, remedy } = cause as { code?: ErrorCode; remedy?: string };
    if (code === undefined || remedy === undefined) throw cause;
    throw new OperatorError(code, messageOf(cause), remedy, { cause });
  }
}

function arraysFor(spec: EnvironmentSpec, size: number) {
  const elements = size * spec.observation.shape.reduce((product, extent) => product * extent, 1);
  const Observations = { uint8: Uint8Array, float32: Float32Array, float64: Float64Array }[spec.observation.dtype];
  return {
    observations: new Observations(elements) as ObservationArray,
    finalObservations: new Observations(elements) as ObservationArray,
    rewards: new Float32Array(size),
    rawRewards: new Float64Array(size),
    terminated: new Uint8Array(size),
    truncated: new Uint8Array(size),
    stackRefilled: new Uint8Array(size),
    episodeEnded: new Uint8Array(size),
    episodeReturns: new Float64Array(size),
    episodeLengths: new Int32Array(size),
  };
}

class NativeEnvBatch implements EnvBatch {
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
  readonly #native: NativeBatch;
  #nextWarning = 1; // unstable steps

  constructor(family: Family, spec: EnvironmentSpec, size: number, identity: string, settings: object) {
    const arrays = arraysFor(spec, size);
    this.spec = spec;
    this.size = size;
    this.observations = arrays.observations;
    this.finalObservations = arrays.finalObservations;
    this.rewards = arrays.rewards;
    this.rawRewards = arrays.rawRewards;
    this.terminated = arrays.terminated;
    this.truncated = arrays.truncated;
    this.stackRefilled = arrays.stackRefilled;
    this.episodeEnded = arrays.episodeEnded;
    this.episodeReturns = arrays.episodeReturns;
    this.episodeLengths = arrays.episodeLengths;
    const maxEpisodeSteps = spec.maxEpisodeSteps ?? 0;
    const { Batch } = addon(family);
    this.#native = calling(() => new Batch({ ...settings, identity, size, maxEpisodeSteps }, arrays));
    this.presentation = calling(() => this.#native.presentation());
  }

  reset(seeds: BigUint64Array): void {
    calling(() => this.#native.reset(seeds));
  }

  step(actions: Int32Array | Float32Array): void {
    calling(() => this.#native.step(actions));
    const unstable = this.#native.unstableSteps();
    if (unstable >= this.#nextWarning) this.#warnUnstable(unstable);
  }

  /** The run goes on with the numbers that Gymnasium would give; it must not go on unnoticed. At 1, 10, 100, ... steps. */
  #warnUnstable(steps: number): void {
    this.#nextWarning = steps * 10;
    const problem = `${this.spec.id}: the simulation became unstable in ${steps} agent steps so far and went on from the robot's first pose, as it does under Gymnasium.`;
    process.emitWarning(`${problem} If it keeps coming, lower the option frameSkip or the actions.`, {
      type: "AnchorageWarning",
      code: "UNSTABLE_SIMULATION",
    });
  }

  save(): Uint8Array {
    return calling(() => this.#native.save());
  }

  load(bytes: Uint8Array, sources?: Int32Array): void {
    calling(() => this.#native.load(bytes, sources));
  }

  render(e: number, size: PictureSize): Picture {
    return calling(() => this.#native.render({ environment: e, ...size }));
  }

  close(): void {
    this.#native.close();
  }
}
