import type { z } from "zod";
import { selectiveFields, traitsOf } from "./algorithms.ts";
import { OperatorError } from "./errors.ts";
import { RunConfig, type RunConfigInput, runShape } from "./runConfig.ts";
import { schemaProblems } from "./schemaProblems.ts";

type Preset = Omit<RunConfigInput, "env">;

/** ALGORITHMS, Protocols: the paper's settings by environment family; what is absent is RunConfig's own default. */
export const presets = {
  mujoco: {},
  atari: {
    totalSteps: 6_000_000,
    envs: 16,
    envBatchSize: 4,
    rolloutSteps: 128,
    epochs: 4,
    learningRate: 2.5e-4,
    entropyCoef: 0.01,
    epsPos: 0.1,
    epsNeg: 0.1,
    clip: 0.1,
    groupSize: 4,
    maxKl: 0.02,
    valueClip: 0.1,
    normalizeObservations: false,
    normalizeRewards: false,
    network: { kind: "nature" },
  },
  classic: {
    totalSteps: 200_000,
    envs: 16,
    envBatchSize: 8,
    rolloutSteps: 64,
    epochs: 10,
    learningRate: 1e-3,
    normalizeRewards: false,
    network: { kind: "mlp", hidden: [64, 64] },
  },
} as const satisfies Record<string, Preset>;
export type PresetName = keyof typeof presets;

const mujocoFamily =
  /^(HalfCheetah|Ant|Hopper|Walker2d|Humanoid|Swimmer|InvertedPendulum|InvertedDoublePendulum|Reacher|Pusher)-v\d+$/;

/** The protocol for an environment id: MuJoCo by name, other `-v5` ids are Atari games, everything else is classic. */
export function presetFor(env: string): PresetName {
  if (mujocoFamily.test(env)) return "mujoco";
  return /^[A-Z][A-Za-z0-9]*-v5$/.test(env) ? "atari" : "classic";
}

/**
 * The run's settings: what the person gave, laid over `base` (the environment's preset, or a stored config on resume).
 * Throws CONFIG naming every wrong field with its value and the remedy.
 */
export function resolveRunConfig(given: Record<string, unknown>, base?: Record<string, unknown>): RunConfig {
  const env = typeof given.env === "string" ? given.env : "";
  const algo = typeof given.algo === "string" ? given.algo : "ano";
  const traits = traitsOf(algo);
  const below: Record<string, unknown> = base ?? { ...presets[presetFor(env)], ...traits.defaults, ...traits.fixed };
  const merged: Record<string, unknown> = { ...below, ...given };
  if (isRecord(given.network) && !("kind" in given.network))
    merged.network = { ...(isRecord(below.network) ? below.network : { kind: "mlp" }), ...given.network };
  const parsed = RunConfig.safeParse(merged, { reportInput: true });
  if (!parsed.success) throw configError(parsed.error);
  const config = parsed.data;
  checkAlgorithm(config, given);
  checkDivisions(config);
  return Object.freeze(config);
}

/** A setting that the run's algorithm does not read would silently do nothing. */
function checkAlgorithm(config: RunConfig, given: Record<string, unknown>): void {
  const { algo } = config;
  const { reads, ignores = [], fixed = {}, advantages } = traitsOf(algo);
  const own = `It reads ${reads.join(", ") || "none of the settings that belong to single algorithms"}.`;
  for (const field of Object.keys(given)) {
    const unread = ignores.includes(field) || (selectiveFields.has(field) && !reads.includes(field));
    if (unread)
      throw new OperatorError(
        "CONFIG",
        `${field}=${JSON.stringify(given[field])} does nothing: this run's algo, ${algo}, does not read it.`,
        `Leave ${field} out, or choose another algo. ${own}`,
      );
  }
  for (const [field, value] of Object.entries(fixed))
    if (config[field as keyof RunConfig] !== value)
      throw new OperatorError(
        "CONFIG",
        `${field}=${JSON.stringify(config[field as keyof RunConfig])} is not ${algo}, which has ${field}=${JSON.stringify(value)}.`,
        `Leave ${field} out.`,
      );
  for (const [field, wanted] of [
    ["gaeLambda", false],
    ["rhoBar", true],
    ["cBar", true],
  ] as const)
    if (field in given && config.vtrace !== wanted)
      throw new OperatorError(
        "CONFIG",
        `${field}=${JSON.stringify(given[field])} does nothing with vtrace=${config.vtrace}.`,
        `Leave ${field} out, or set vtrace=${wanted}.`,
      );
  for (const field of ["hiddenGain", "actorGain", "criticGain"] as const)
    if (field in given && !config.orthogonalInit)
      throw new OperatorError(
        "CONFIG",
        `${field}=${JSON.stringify(given[field])} does nothing with orthogonalInit=false.`,
        `Leave ${field} out, or set orthogonalInit=true.`,
      );
  if (advantages === "group" && config.policyLag === "async")
    throw new OperatorError(
      "CONFIG",
      `policyLag=async with ${algo}: nothing corrects an episode's return for the policy's change since it acted, as V-trace does for values.`,
      "Set policyLag to 0 or 1.",
    );
  if (algo === "papo" && config.gamma === 1)
    throw new OperatorError(
      "CONFIG",
      "gamma=1 with papo, whose bound divides by (1 - gamma)^2.",
      "Set gamma below 1, for example 0.99.",
    );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function configError(error: z.ZodError): OperatorError {
  const problems = schemaProblems(error, Object.keys(RunConfig.shape), "the run config");
  const remedy = "Mend the setting; docs/configuration.md lists every field with its type, range and default.";
  return new OperatorError("CONFIG", `The run config is wrong: ${problems}.`, remedy, { cause: error });
}

function checkDivisions(config: RunConfig): void {
  if (config.envs % config.envBatchSize !== 0)
    throw new OperatorError(
      "CONFIG",
      `envBatchSize=${config.envBatchSize} does not divide envs=${config.envs}.`,
      `Set envBatchSize to one of ${divisors(config.envs).join(", ")}.`,
    );
  const { stepsPerRound, groupSize } = runShape(config);
  if (config.envBatchSize % groupSize !== 0) {
    const possible = divisors(config.envBatchSize).slice(1).join(", ") || "none: envBatchSize is 1";
    throw new OperatorError(
      "CONFIG",
      `groupSize=${groupSize} does not divide envBatchSize=${config.envBatchSize}: a group begins from one snapshot, that of its EnvBatch.`,
      `Set groupSize to one of the divisors above 1 (${possible}), or envBatchSize to a multiple of groupSize.`,
    );
  }
  if (stepsPerRound % config.minibatches !== 0)
    throw new OperatorError(
      "CONFIG",
      `minibatches=${config.minibatches} does not divide the round of ${stepsPerRound} agent steps (envs ${config.envs} x rolloutSteps ${config.rolloutSteps}).`,
      "Choose a number that divides it.",
    );
  if (config.normalizeAdvantages && stepsPerRound / config.minibatches < 2)
    throw new OperatorError(
      "CONFIG",
      `minibatches=${config.minibatches} leaves one sample a minibatch, whose advantage cannot be normalised.`,
      "Use fewer minibatches or set normalizeAdvantages=false.",
    );
}

/** Up to 4096, the largest batch worth proposing: envs may be any number that somebody typed. */
function divisors(n: number): number[] {
  return Array.from({ length: Math.min(n, 4_096) }, (_, i) => i + 1).filter((d) => n % d === 0);
}
