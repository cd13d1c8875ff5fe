import { z } from "zod";

/** The learner makes a network for what an actor describes: beyond these it would only run out of memory. */
const mostElements = 2 ** 22;
const mostActions = 65_536;

/**
 * What an environment looks like from outside. Sent as JSON by the first actor, so that the learner needs no
 * environment code; every later actor must describe the same.
 */
export const EnvironmentSpec = z.strictObject({
  id: z.string().min(1).max(4096),
  observation: z.strictObject({
    dtype: z.enum(["uint8", "float32", "float64"]).describe("as the environment writes it; float64 travels as float32"),
    shape: z
      .array(z.int().positive())
      .min(1)
      .max(8)
      .refine((shape) => shape.reduce((all, extent) => all * extent, 1) <= mostElements, {
        message: `must have at most ${mostElements} elements in all`,
      })
      .describe("one observation; stacked frames are [frameStack, height, width]"),
    frameStack: z.int().positive().nullable().describe("frames in shape[0], oldest first; null: not a stack"),
  }),
  action: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("discrete"), count: z.int().min(2).max(mostActions) }),
    z.strictObject({
      kind: z.literal("continuous"),
      low: z
        .array(z.number())
        .min(1)
        .max(mostActions)
        .describe("[A] what the environment accepts; it clips for itself"),
      high: z.array(z.number()).min(1).max(mostActions),
    }),
  ]),
  maxEpisodeSteps: z.int().positive().nullable().describe("agent steps until truncation"),
  framesPerStep: z.int().positive().describe("simulator frames per agent step, for reporting (Atari: 4)"),
});
export type EnvironmentSpec = z.infer<typeof EnvironmentSpec>;

export type ObservationArray = Uint8Array | Float32Array | Float64Array;

/** What an environment looks like to a person. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array; // [height, width, 3] from the top left
  readonly pixelated: boolean; // made of large pixels, like an old console's screen: enlarge it without smoothing
}

export interface PictureSize {
  readonly width: number; // 16 to 4096
  readonly height: number;
}

/** What people who watch are told beside the pictures. */
export interface Presentation {
  readonly secondsPerStep: number | null; // simulated time of an agent step; null: it has no clock
  readonly actionNames: readonly string[] | null; // one per discrete action or action dimension
}

/**
 * E environments stepped together, EnvPool style, with same-step auto-reset: the step that ends an episode gives the
 * first observation of the next one in `observations` and the last one of the old in `finalObservations`.
 * All arrays are made once, belong to JavaScript and are overwritten by every `reset`, `step` and `load`.
 * Implemented by the native addons (native/envBatch.ts) and by TypescriptEnvBatch (actor/typescriptEnvBatch.ts).
 */
export interface EnvBatch {
  readonly spec: EnvironmentSpec;
  readonly size: number; // E
  readonly observations: ObservationArray; // [E, ...shape] what the next action answers
  readonly finalObservations: ObservationArray; // [E, ...shape] valid where terminated or truncated
  readonly rewards: Float32Array; // [E] as the learner sees them (Atari: the sign)
  readonly rawRewards: Float64Array; // [E] as the environment scores
  readonly terminated: Uint8Array; // [E] 1: the episode (with episodic life: the life) ended for good
  readonly truncated: Uint8Array; // [E] 1: cut off by a limit; never together with terminated
  readonly stackRefilled: Uint8Array; // [E] 1: every frame of the current stack is its newest frame (new game); 0 without stacks.
  // 0 after a terminated step (a lost life): the stack is the final observation's, shifted by one new frame
  readonly episodeEnded: Uint8Array; // [E] 1: a whole raw episode (game, not life) ended in this step
  readonly episodeReturns: Float64Array; // [E] its sum of raw rewards, valid where episodeEnded
  readonly episodeLengths: Int32Array; // [E] its agent steps, valid where episodeEnded
  /** Starts episode 0 in every environment. `seeds` [E]: see environmentSeed in shared/seeds.ts. Throws a shape error. */
  reset(seeds: BigUint64Array): void;
  /** actions: Int32Array [E] (discrete) or Float32Array [E, A] (continuous). A bad one throws before anything is stepped. */
  step(actions: Int32Array | Float32Array): void;
  /** Everything that later steps, rewards and observations depend on, checksummed, with version and environment id inside. */
  save(): Uint8Array;
  /**
   * Continues bit-identically from `save`, in any process; fills the observation arrays. With `sources` [E] environment e
   * continues the saved environment sources[e], so that several begin in the very same state, random numbers included.
   * Throws CORRUPT or MISMATCH, SHAPE for wrong sources, and leaves the batch as it was.
   */
  load(bytes: Uint8Array, sources?: Int32Array): void;
  readonly presentation: Presentation;
  /**
   * Environment e's current state, the one that the next action answers; null: it draws no pictures. Changes nothing
   * that is simulated. `size` is a wish: an environment with a screen of its own shows that.
   */
  render(e: number, size: PictureSize): Picture | null;
  /** Frees native memory; the batch must not be used afterwards. */
  close(): void;
}

/** Random numbers of one episode: a function of the environment's seed and the episode's number alone (shared/seeds.ts). */
export interface EpisodeRandom {
  /** Uniform in [0, 1), 53 bits. */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
}

export interface StepOutcome {
  readonly reward: number;
  readonly terminated: boolean;
  /** True where the environment itself cuts an episode off; `maxEpisodeSteps` is applied by the batch. */
  readonly truncated?: boolean;
}

/**
 * One environment, written by a user in TypeScript: `export default class MyEnv implements Environment`, made with
 * `new MyEnv(options)` where options are RunConfig.envOptions. Example: actor/environments/cartPole.ts.
 */
export interface Environment {
  readonly spec: EnvironmentSpec;
  /** Begins an episode; writes the first observation. All randomness must come from `random`. */
  reset(random: EpisodeRandom, observation: ObservationArray): void;
  /** One agent step; writes the observation after it. `action`: an integer, or A numbers valid during the call. */
  step(action: number | Float32Array, observation: ObservationArray): StepOutcome;
  /** The whole state in the middle of an episode; `load` continues from it identically. */
  save(): Uint8Array;
  /** `random` continues the episode's numbers where `save` left them: keep it if `step` draws. */
  load(state: Uint8Array, random: EpisodeRandom): void;
  /** Both optional, for `evaluate --record`, `watch` and the page: what they show beside the pictures, and the pictures. */
  readonly presentation?: Partial<Presentation>;
  /** The current state as a picture; must not change it, nor draw from `random`. `size` is a wish. */
  render?(size: PictureSize): Picture;
}
