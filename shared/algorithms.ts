/** What sets an algorithm apart from the shared update (ALGORITHMS), beside its objective in learner/objectives. */
export interface AlgorithmTraits {
  readonly title: string;
  /** RunConfig fields that only some algorithms read, and this one does. */
  readonly reads: readonly string[];
  /** Fields of the shared update that this algorithm does not read. */
  readonly ignores?: readonly string[];
  /** Its own defaults, over those of the environment's preset. */
  readonly defaults?: Readonly<Record<string, unknown>>;
  /** Settings that belong to what the algorithm is: no other value is taken. */
  readonly fixed?: Readonly<Record<string, unknown>>;
  /** What the objective weighs the actions by; `gae` unless said. The others need no critic and train none. */
  readonly advantages?: "gae" | "returns" | "group";
  /** Whether the objective weighs actions by their probability's ratio; true unless said. */
  readonly ratio?: boolean;
  /** How a round is learned from: epochs of minibatches unless said. */
  readonly policyStep?: "minibatches" | "trustRegion";
}

const critic = ["valueClip", "gaeLambda", "vtrace", "rhoBar", "cBar"];

/** Whole episodes from one start against each other: nothing else has to be learned, normalised or discounted. */
const groupRelative = {
  ignores: [...critic, "rewardClip"],
  defaults: { gamma: 1 },
  fixed: { valueCoef: 0, normalizeAdvantages: false, normalizeRewards: false },
  advantages: "group",
} as const;
const group = ["groupSize", "referenceKlCoef", "referenceEvery"];

/** Every algorithm by the name that `--algo` takes. */
export const algorithms = {
  ano: { title: "ANO, Anchored Neighborhood Optimization", reads: ["epsPos", "epsNeg"] },
  ppo: { title: "PPO with a clipped ratio", reads: ["clip"] },
  "ppo-kl-fixed": { title: "PPO with a KL penalty", reads: ["klCoef"] },
  "ppo-kl-adaptive": { title: "PPO with a KL penalty of adaptive weight", reads: ["klCoef", "desiredKl"] },
  spo: { title: "SPO, Simple Policy Optimization", reads: ["clip"] },
  papo: {
    title: "PAPO, proximal absolute policy optimization",
    reads: ["clip", "omega1", "omega2", "papoK"],
    defaults: { targetKl: 0.02 },
  },
  trpo: {
    title: "TRPO, a step to the edge of a trust region",
    reads: ["maxKl", "cgIterations", "cgDamping", "lineSearchTries", "lineSearchRatio"],
    ignores: ["targetKl"],
    fixed: { normalizeAdvantages: false, entropyCoef: 0 },
    policyStep: "trustRegion",
  },
  a2c: { title: "A2C, advantage actor-critic", reads: [], ignores: ["targetKl"], fixed: { epochs: 1 }, ratio: false },
  pg: {
    title: "policy gradient on discounted returns, without a critic",
    reads: [],
    ignores: ["targetKl", ...critic],
    fixed: { epochs: 1, valueCoef: 0 },
    advantages: "returns",
  },
  grpo: { title: "GRPO, PPO's loss on group-relative advantages", reads: ["clip", ...group], ...groupRelative },
  gano: {
    title: "GANO, ANO's loss on group-relative advantages",
    reads: ["epsPos", "epsNeg", ...group],
    ...groupRelative,
  },
} as const satisfies Record<string, AlgorithmTraits>;

export type AlgorithmName = keyof typeof algorithms;
export const algorithmNames = Object.keys(algorithms) as [AlgorithmName, ...AlgorithmName[]];

/** A user's objective: a module's path. It may read every field that its functions are given. */
const ownObjective: AlgorithmTraits = {
  title: "an objective of your own",
  reads: [
    "clip",
    "epsPos",
    "epsNeg",
    "klCoef",
    "desiredKl",
    "omega1",
    "omega2",
    "papoK",
    "referenceKlCoef",
    "referenceEvery",
    "objectiveOptions",
  ],
};

/** Whether `algo` names a module with an objective, and not an algorithm that comes with Anchorage. */
export function isObjectivePath(algo: string): boolean {
  return /\.(ts|mts|js|mjs)$/.test(algo);
}

export function traitsOf(algo: string): AlgorithmTraits {
  return Object.hasOwn(algorithms, algo) ? algorithms[algo as AlgorithmName] : ownObjective;
}

/** Fields that some algorithms do not read. */
export const selectiveFields: ReadonlySet<string> = new Set(
  [...Object.values<AlgorithmTraits>(algorithms), ownObjective].flatMap((traits) => traits.reads),
);
