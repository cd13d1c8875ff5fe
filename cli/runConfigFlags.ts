import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse as parseYaml } from "yaml";
import { messageOf, OperatorError } from "../shared/errors.ts";
import { resolveRunConfig } from "../shared/presets.ts";
import type { RunConfig } from "../shared/runConfig.ts";
import { withInitialFile } from "./initFrom.ts";

/** The flags of `train` and `coordinator` that decide a run's numbers. */
export interface RunConfigFlags {
  readonly env?: string;
  readonly algo?: string;
  readonly seed?: string;
  readonly totalSteps?: string;
  readonly policyLag?: string;
  readonly initFrom?: string;
  readonly config?: string;
  readonly set?: readonly string[];
}

/** What the person gave, file first, flags over it, `--set` last; nothing here has a default. */
export function givenRunConfig(flags: RunConfigFlags): Record<string, unknown> {
  const given = flags.config === undefined ? {} : readConfigFile(flags.config);
  if (flags.env !== undefined) given.env = flags.env;
  if (flags.algo !== undefined) given.algo = flags.algo;
  if (flags.seed !== undefined) given.seed = parseValue(flags.seed);
  if (flags.totalSteps !== undefined) given.totalSteps = parseValue(flags.totalSteps);
  if (flags.policyLag !== undefined) given.policyLag = parseValue(flags.policyLag);
  for (const assignment of flags.set ?? []) assign(given, assignment);
  if (flags.initFrom !== undefined) given.initFrom = flags.initFrom;
  return given;
}

/** The resolved config of a new run; HalfCheetah-v4 unless an environment is named. */
export function newRunConfig(flags: RunConfigFlags): RunConfig {
  return resolveRunConfig({ env: "HalfCheetah-v4", ...withInitialFile(givenRunConfig(flags)) });
}

/** The same for a process that a supervisor starts again: the file that the run in `runDir` began from may have gone. */
export function restartedRunConfig(runDir: string, flags: RunConfigFlags): RunConfig {
  const file = join(runDir, "config.json");
  const stored = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Partial<RunConfig>) : {};
  return resolveRunConfig({ env: "HalfCheetah-v4", ...withInitialFile(givenRunConfig(flags), stored.initFrom) });
}

/**
 * The config of the run in `runDir`, with what the person gave laid over it: the coordinator then refuses a resume
 * with other settings and names them. Throws STORAGE where there is no run.
 */
export function resumedRunConfig(runDir: string, flags: RunConfigFlags): RunConfig {
  if (flags.initFrom !== undefined)
    throw new OperatorError(
      "CONFIG",
      `--init-from ${flags.initFrom} with --resume: the run in ${runDir} goes on with its own weights.`,
      "Leave --init-from out, or start a new run without --resume.",
    );
  const file = join(runDir, "config.json");
  let stored: Record<string, unknown> & Pick<Partial<RunConfig>, "initFrom">;
  try {
    stored = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new OperatorError(
      "STORAGE",
      `There is no run to resume in ${runDir}: ${file} cannot be read (${messageOf(cause)}).`,
      "Name the run's folder with --run-dir, or start a new run without --resume.",
      { cause },
    );
  }
  return resolveRunConfig(withInitialFile(givenRunConfig(flags), stored.initFrom), stored);
}

function readConfigFile(file: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = parseYaml(readFileSync(file, "utf8")); // JSON is YAML
  } catch (cause) {
    throw new OperatorError(
      "CONFIG",
      `--config ${file} cannot be read: ${messageOf(cause)}.`,
      "Give a YAML or JSON file.",
      {
        cause,
      },
    );
  }
  if (parsed === null || typeof parsed !== "object" || Array.isArray(parsed))
    throw new OperatorError(
      "CONFIG",
      `--config ${file} holds no settings.`,
      "Write `field: value` lines, see docs/configuration.md.",
    );
  return { ...parsed };
}

/** `a.b=c` into the nested object. Values are JSON where they parse as such, else text. */
function assign(target: Record<string, unknown>, assignment: string): void {
  const equals = assignment.indexOf("=");
  if (equals < 1)
    throw new OperatorError(
      "CONFIG",
      `--set ${assignment} has no "field=value".`,
      "Write for example --set network.units=256.",
    );
  const path = assignment.slice(0, equals).split(".");
  let at = target;
  for (const key of path.slice(0, -1)) {
    const inner = at[key];
    const next = inner !== null && typeof inner === "object" && !Array.isArray(inner) ? { ...inner } : {};
    at[key] = next;
    at = next as Record<string, unknown>;
  }
  at[path.at(-1)!] = parseValue(assignment.slice(equals + 1));
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // not JSON: a plain word such as `async` or an environment's name
  }
}
