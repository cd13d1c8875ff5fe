import { createRequire } from "node:module";
import { join } from "node:path";
import { type MujocoSettings, mujocoEnvironment } from "../../native/mujocoEnvironments.ts";
import type { EnvironmentSpec } from "../../shared/environment.ts";
import { nativeParts } from "../../shared/nativeParts.ts";

/** The addon's own batch, beneath native/envBatch.ts: tests of the simulation need its `startState`. */
export interface NativeBatch {
  reset(seeds: BigUint64Array): void;
  step(actions: Float32Array): void;
  save(): Uint8Array;
  load(bytes: Uint8Array): void;
  unstableSteps(): number;
  close(): void;
}

export interface NativeShape {
  readonly dtype: string;
  readonly shape: number[];
  readonly actionLow: number[];
  readonly actionHigh: number[];
  readonly framesPerStep: number;
}

interface Addon {
  Batch: new (options: object, arrays: object) => NativeBatch;
  describe(options: object): NativeShape;
}

export const addonFile = (): string => nativeParts().addons.mujoco!;
const addon = (): Addon => createRequire(import.meta.url)(addonFile()) as Addon;

/** What the addon takes; `models` stands in for the folder that set-up made. */
export function nativeOptions(settings: MujocoSettings, models = nativeParts().mujocoModels!) {
  return { ...settings, model: join(models, settings.model) };
}

export const describeNatively = (id: string, envOptions = {}): NativeShape =>
  addon().describe(nativeOptions(mujocoEnvironment(id, envOptions).settings));

export interface TestBatch extends ReturnType<typeof arraysFor>, NativeBatch {
  readonly spec: EnvironmentSpec;
  readonly size: number;
  readonly actionSize: number;
}

export interface TestBatchSettings {
  readonly envOptions?: Record<string, number | boolean>;
  readonly startState?: readonly number[]; // [qpos, qvel] of every episode
  readonly models?: string;
}

export function mujocoBatch(id: string, size: number, settings: TestBatchSettings = {}): TestBatch {
  const { spec, settings: native } = mujocoEnvironment(id, settings.envOptions ?? {});
  const arrays = arraysFor(spec, size);
  const options = {
    ...nativeOptions(native, settings.models),
    identity: JSON.stringify([id, native]),
    size,
    maxEpisodeSteps: spec.maxEpisodeSteps,
    ...(settings.startState ? { startState: settings.startState } : {}),
  };
  const batch = new (addon().Batch)(options, arrays);
  return Object.assign(batch, arrays, { spec, size, actionSize: actionSizeOf(spec) });
}

export function actionSizeOf(spec: EnvironmentSpec): number {
  if (spec.action.kind !== "continuous") throw new Error(`${spec.id} has discrete actions`);
  return spec.action.low.length;
}

function arraysFor(spec: EnvironmentSpec, size: number) {
  const elements = spec.observation.shape[0]!;
  return {
    observations: new Float64Array(size * elements),
    finalObservations: new Float64Array(size * elements),
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

export const seedsFor = (size: number, first = 0): BigUint64Array =>
  BigUint64Array.from({ length: size }, (_, e) => BigInt(first + e));

/** Actions [E, A] of step t, uniform in 1.5 times the range; no state. */
export function actionsAt(batch: TestBatch, t: number): Float32Array {
  const limit = batch.spec.action.kind === "continuous" ? batch.spec.action.high[0]! : 0;
  return Float32Array.from({ length: batch.size * batch.actionSize }, (_, i) => {
    const hash = Math.sin((t + 1) * 12.9898 + (i + 1) * 78.233) * 43758.5453;
    return 1.5 * limit * (2 * (hash - Math.floor(hash)) - 1);
  });
}
