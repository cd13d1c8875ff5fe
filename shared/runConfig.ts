import { createHash } from "node:crypto";
import { z } from "zod";
import { algorithmNames, isObjectivePath, traitsOf } from "./algorithms.ts";

const positive = z.number().positive();
const count = z.int().positive();

const Algorithm = z
  .string()
  .refine(
    (algo) => isObjectivePath(algo) || (algorithmNames as readonly string[]).includes(algo),
    `expected ${algorithmNames.join(", ")} or the path of a module (.ts, .mts, .js, .mjs)`,
  );

const Activation = z.enum(["tanh", "relu", "elu", "leakyRelu", "silu"]);

/**
 * Everything that decides a run's numbers, beside the fingerprint of the machine (shared/fingerprint.ts). Defaults are
 * the paper's MuJoCo protocol (ALGORITHMS: 128 environments x 32 steps); shared/presets.ts holds the others.
 */
export const RunConfig = z.strictObject({
  env: z
    .string()
    .min(1)
    .describe("environment id (`anchorage envs` lists them) or path of a TypeScript/JavaScript module"),
  envOptions: z
    .record(z.string(), z.union([z.number(), z.boolean(), z.string()], "expected a number, a boolean or a string"))
    .default({})
    .describe("options of that environment, see docs/environments.md"),
  algo: Algorithm.default("ano").describe(
    "algorithm (docs/objectives.md lists them), or path of a TypeScript/JavaScript module with an objective",
  ),
  objectiveOptions: z
    .record(z.string(), z.number("expected a number"))
    .default({})
    .describe("numbers for an objective of your own, see docs/objectives.md"),
  seed: z.int().nonnegative().default(1).describe("root of every other seed, see shared/seeds.ts"),
  initFrom: z
    .strictObject({
      file: z.string().min(1).describe("where it lay"),
      sha256: z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits"),
    })
    .nullable()
    .default(null)
    .describe(
      "policy.onnx or checkpoint that the weights begin as, from --init-from (docs/policy.md); null: fresh ones",
    ),
  totalSteps: count.default(10_000_000).describe("agent steps; rounded up to whole rounds"),

  envs: count.default(128).describe("environments in all; a round is envs x rolloutSteps agent steps"),
  envBatchSize: count.default(32).describe("E, environments stepped together by one worker; divides envs"),
  rolloutSteps: count.default(32).describe("T, agent steps per environment in a round"),
  policyLag: z
    .union([z.literal(0), z.literal(1), z.literal("async")], "expected 0, 1 or async")
    .default(0)
    .describe("updates between the policy that acts and the one that learns; async: whatever arrives"),
  maxPolicyLag: count.default(4).describe("with policyLag async: rollouts older than this many updates are refused"),

  epochs: count.default(10).describe("passes over each round; a2c and pg take one"),
  targetKl: positive
    .nullable()
    .default(null)
    .describe("a round's epochs end when the last minibatch of one has a larger approximate KL; null: never"),
  minibatches: count.default(4).describe("minibatches per epoch; divides the round"),
  learningRate: positive.default(3e-4).describe("Adam's step size at update 0"),
  annealLearningRate: z.boolean().default(true).describe("linearly to 0 over the run"),
  adamBeta1: z.number().gt(0).lt(1).default(0.9).describe("Adam's first-moment decay"),
  adamBeta2: z.number().gt(0).lt(1).default(0.999).describe("Adam's second-moment decay"),
  adamEps: positive.default(1e-5).describe("Adam's epsilon"),
  maxGradNorm: positive.default(0.5).describe("global gradient-norm clip"),

  gamma: z.number().gt(0).max(1).default(0.99).describe("discount per agent step"),
  gaeLambda: z.number().min(0).max(1).default(0.95).describe("lambda of generalized advantage estimation"),
  vtrace: z
    .boolean()
    .default(false)
    .describe("V-trace in place of it: corrects for the policy's change since it acted, as policyLag async needs"),
  rhoBar: positive.default(1).describe("vtrace: bound of the weights"),
  cBar: positive.default(1).describe("vtrace: bound of the traces"),
  normalizeAdvantages: z.boolean().default(true).describe("per minibatch, to mean 0 and unbiased std 1"),
  epsPos: positive.default(0.3).describe("ano: neighbourhood half-width where the advantage is not negative"),
  epsNeg: positive.default(0.3).describe("ano: neighbourhood half-width where the advantage is negative"),
  clip: positive.lt(1).default(0.2).describe("ppo, papo: ratio clip half-width; spo: eps"),
  klCoef: z.number().nonnegative().default(1).describe("ppo-kl-fixed, ppo-kl-adaptive (at update 0): weight of the KL"),
  desiredKl: positive.default(0.01).describe("ppo-kl-adaptive: mean KL per update that the weight is steered to"),
  omega1: positive.default(0.005).describe("papo: weight of the variance terms"),
  omega2: positive.default(0.005).describe("papo: weight of the linear part of the mean variance"),
  maxKl: positive.default(0.01).describe("trpo: delta, bound of the mean KL of an update"),
  cgIterations: count.default(10).describe("trpo: conjugate-gradient iterations"),
  cgDamping: z.number().nonnegative().default(0.1).describe("trpo: added to the Fisher matrix's diagonal"),
  lineSearchTries: count.default(10).describe("trpo: step lengths tried before the old policy is kept"),
  lineSearchRatio: z.number().gt(0).lt(1).default(0.5).describe("trpo: of one tried step length to the one before"),
  papoK: positive.default(7).describe("papo: k, how many standard deviations the lower bound lies below the mean"),
  groupSize: z
    .int()
    .min(2)
    .default(8)
    .describe("grpo, gano: G, environments that begin each round in the same state; divides envBatchSize"),
  referenceKlCoef: z
    .number()
    .nonnegative()
    .default(0.04)
    .describe("grpo, gano: beta, weight of the KL from the reference policy"),
  referenceEvery: count
    .nullable()
    .default(10)
    .describe("grpo, gano: updates after which the newest policy becomes the reference; null: always the initial one"),
  entropyCoef: z.number().nonnegative().default(0).describe("weight of the entropy bonus"),
  valueCoef: z.number().nonnegative().default(0.5).describe("weight of the value loss"),
  valueClip: positive.nullable().default(0.3).describe("half-width of the clipped value loss; null: not clipped"),

  normalizeObservations: z.boolean().default(true).describe("by running mean and std, inside the policy snapshot"),
  observationClip: positive.default(10).describe("clip of normalised observations"),
  normalizeRewards: z.boolean().default(true).describe("by the std of the discounted return"),
  rewardClip: positive.default(10).describe("clip of normalised rewards"),

  orthogonalInit: z
    .boolean()
    .default(true)
    .describe(
      "initial weights orthogonal and biases 0; false: PyTorch's default, both uniform within 1/sqrt(inputs) of 0; either from the seed",
    ),
  hiddenGain: positive.default(Math.SQRT2).describe("orthogonalInit: gain of the hidden layers"),
  actorGain: z.number().nonnegative().default(0.01).describe("orthogonalInit: gain of the actor's output layer"),
  criticGain: z.number().nonnegative().default(1).describe("orthogonalInit: gain of the critic's output layer"),

  network: z
    .discriminatedUnion("kind", [
      z.strictObject({
        kind: z.literal("mlp").describe("dense layers"),
        hidden: z.array(count).min(1).default([256, 256]).describe("units per hidden layer"),
        activation: Activation.default("tanh").describe("of the hidden layers; leakyRelu has slope 0.01"),
        shared: z.boolean().default(false).describe("one trunk for actor and critic"),
        logStd: z.number().default(0).describe("initial log standard deviation of continuous actions"),
      }),
      z.strictObject({
        kind: z.literal("nature").describe("Nature CNN for stacked frames"),
        units: count.default(512).describe("of the dense layer"),
        activation: Activation.default("relu").describe("of all but the heads; leakyRelu has slope 0.01"),
        shared: z.boolean().default(true).describe("one trunk for actor and critic; false: a CNN for each"),
      }),
    ])
    .prefault({ kind: "mlp" }),
});
export type RunConfig = Readonly<z.infer<typeof RunConfig>>;
/** What a person may give: every field but `env` optional. */
export type RunConfigInput = z.input<typeof RunConfig>;

/** Shape of a run, derived once. */
export interface RunShape {
  readonly envBatches: number; // EnvBatches in a round
  readonly stepsPerRound: number; // agent steps: envs x rolloutSteps
  readonly rounds: number; // = updates
  readonly minibatchSize: number; // agent steps per minibatch
  readonly groupSize: number; // G, environments that begin a round in the same state, side by side; 1: no groups
}

export function runShape(config: RunConfig): RunShape {
  const stepsPerRound = config.envs * config.rolloutSteps;
  return {
    envBatches: config.envs / config.envBatchSize,
    stepsPerRound,
    rounds: Math.ceil(config.totalSteps / stepsPerRound),
    minibatchSize: stepsPerRound / config.minibatches,
    groupSize: traitsOf(config.algo).advantages === "group" ? config.groupSize : 1,
  };
}

/** Policy version that acts in a round: max(0, round - policyLag). Not for async runs, which take the newest. */
export function actingVersion(round: number, policyLag: 0 | 1): number {
  return Math.max(0, round - policyLag);
}

/** Digest of all that decides the numbers; two runs with the same digest and fingerprint end with the same weights. */
export function configDigest(config: RunConfig): string {
  return createHash("sha256").update(canonicalJson(config)).digest("hex");
}

/** JSON with sorted keys. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    item !== null && typeof item === "object" && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : item,
  );
}
