import { z } from "zod";
import type { EnvironmentSpec } from "../shared/environment.ts";
import { OperatorError } from "../shared/errors.ts";
import { didYouMean } from "../shared/suggest.ts";
import { parseOptions } from "./environmentOptions.ts";
import { type MujocoFamily, type MujocoVersion, mujocoFamilies, type OptionValues } from "./mujocoFamilies.ts";

/** What the addon is told: every number and flag that the task reads; defaults stand in mujocoFamilies.ts alone. */
export interface MujocoSettings {
  readonly family: string;
  readonly version: 4 | 5;
  readonly model: string; // file name inside nativeParts().mujocoModels
  readonly frameSkip: number;
  readonly options: OptionValues;
}

export interface MujocoEnvironment {
  readonly spec: EnvironmentSpec;
  readonly settings: MujocoSettings;
}

interface Known {
  readonly name: string;
  readonly number: 4 | 5;
  readonly family: MujocoFamily;
  readonly version: MujocoVersion;
}

const known: ReadonlyMap<string, Known> = new Map(
  Object.entries(mujocoFamilies).flatMap(([name, family]) =>
    ([4, 5] as const).flatMap((number): [string, Known][] => {
      const version = family.versions[number];
      return version ? [[`${name}-v${number}`, { name, number, family, version }]] : [];
    }),
  ),
);

/** Ids as in Gymnasium. */
export const mujocoEnvironmentIds: readonly string[] = [...known.keys()];

/** Every option of environment `id` with its default and meaning, for `anchorage envs` and the documentation. */
export function mujocoOptions(id: string): z.ZodObject {
  const { number, family, version } = find(id);
  return z.strictObject({
    ...version.options,
    ...(number === 5 ? { frameSkip: frameSkipOption(family) } : {}),
    maxEpisodeSteps: z
      .int()
      .positive()
      .max(2147483647)
      .default(family.maxEpisodeSteps)
      .describe("agent steps until truncation"),
  });
}

function frameSkipOption(family: MujocoFamily) {
  return z.int().positive().max(1000).default(family.frameSkip).describe("simulator steps per agent step");
}

/**
 * The spec of environment `id` and what makes it. `envOptions` are Gymnasium's constructor arguments in camelCase (a
 * range is two of them, ...Min and ...Max) and maxEpisodeSteps. Throws ENVIRONMENT for an unknown id and CONFIG, with
 * name, value and remedy, for a wrong option.
 */
export function mujocoEnvironment(id: string, envOptions: Readonly<Record<string, unknown>>): MujocoEnvironment {
  const { name, number, family, version } = find(id);
  const { maxEpisodeSteps, frameSkip, ...options } = optionsOf(id, envOptions);
  const framesPerStep = typeof frameSkip === "number" ? frameSkip : family.frameSkip;
  const limits = (sign: 1 | -1) => new Array<number>(family.actions).fill(sign * family.actionLimit);
  return {
    spec: {
      id,
      observation: { dtype: "float64", shape: [version.observationSize(options)], frameStack: null },
      action: { kind: "continuous", low: limits(-1), high: limits(1) },
      maxEpisodeSteps: maxEpisodeSteps as number,
      framesPerStep,
    },
    settings: { family: name, version: number, model: version.model, frameSkip: framesPerStep, options },
  };
}

function find(id: string): Known {
  const found = known.get(id);
  if (found) return found;
  if (id === "Pusher-v4")
    throw new OperatorError(
      "ENVIRONMENT",
      'Environment "Pusher-v4" is not defined on MuJoCo 3: its object has another mass there, and Gymnasium refuses it, too.',
      "Use Pusher-v5.",
    );
  const remedy = `${didYouMean(id, mujocoEnvironmentIds)}MuJoCo environments: ${mujocoEnvironmentIds.join(", ")}.`;
  throw new OperatorError("ENVIRONMENT", `There is no MuJoCo environment "${id}".`, remedy);
}

function optionsOf(id: string, envOptions: Readonly<Record<string, unknown>>): OptionValues {
  const options = parseOptions(id, mujocoOptions(id), envOptions) as OptionValues;
  checkRanges(id, options);
  return options;
}

function checkRanges(id: string, options: OptionValues): void {
  for (const low of Object.keys(options).filter((name) => name.endsWith("Min"))) {
    const high = low.replace(/Min$/, "Max");
    if (options[low]! >= options[high]!)
      throw new OperatorError(
        "CONFIG",
        `envOptions.${low} = ${options[low]} is not below envOptions.${high} = ${options[high]} (${id}).`,
        `Lower ${low} or raise ${high}.`,
      );
  }
}
