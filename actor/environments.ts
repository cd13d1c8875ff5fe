import { atariGames, createNativeEnvBatch, isNativeEnvironment, nativeEnvironmentIds } from "../native/envBatch.ts";
import type { EnvBatch, Environment } from "../shared/environment.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import type { RunConfig } from "../shared/runConfig.ts";
import { didYouMean } from "../shared/suggest.ts";
import { importUserModule } from "../shared/userModule.ts";
import CartPole from "./environments/cartPole.ts";
import { TypescriptEnvBatch } from "./typescriptEnvBatch.ts";

export interface EnvBatchSettings extends Pick<RunConfig, "env" | "envOptions"> {
  readonly size: number; // E
}

type EnvironmentClass = new (options: RunConfig["envOptions"]) => Environment;

/** Environments written in TypeScript that come with Anchorage. */
export const builtInEnvironments: Readonly<Record<string, EnvironmentClass>> = { "CartPole-v1": CartPole };

const methods = ["reset", "step", "save", "load"] as const;

/**
 * E environments of a run: built in, native (Atari, MuJoCo), or from a module path (.ts, .js, .mjs) whose default
 * export implements Environment. Throws ENVIRONMENT or CONFIG saying what is wrong with id, file, export, spec or options.
 */
export async function makeEnvBatch({ env, envOptions, size }: EnvBatchSettings): Promise<EnvBatch> {
  const builtIn = builtInEnvironments[env];
  if (builtIn) return typescriptBatch(builtIn, envOptions, size, env);
  if (isModulePath(env))
    return typescriptBatch(await importEnvironment(env), envOptions, size, `Environment module ${env}`);
  if (isNativeEnvironment(env)) return createNativeEnvBatch({ id: env, size, options: envOptions });
  const ids = Object.values(environmentIds()).flat();
  throw new OperatorError(
    "ENVIRONMENT",
    `There is no environment ${env}.`,
    `${didYouMean(env, ids)}List them with: anchorage envs`,
  );
}

/** Every id that can be made on this machine, by family. Throws SETUP if set-up has not run. */
export function environmentIds(): Readonly<Record<"mujoco" | "atari" | "classic", readonly string[]>> {
  const atari = atariGames();
  return {
    mujoco: nativeEnvironmentIds().filter((id) => !atari.includes(id)),
    atari,
    classic: Object.keys(builtInEnvironments),
  };
}

export function isModulePath(env: string): boolean {
  return /\.(ts|mts|js|mjs)$/.test(env);
}

function typescriptBatch(
  Class: EnvironmentClass,
  options: RunConfig["envOptions"],
  size: number,
  source: string,
): EnvBatch {
  const environments = Array.from({ length: size }, (): Environment => {
    let environment: Environment;
    try {
      environment = new Class(options);
    } catch (cause) {
      if (cause instanceof OperatorError) throw cause;
      const problem = `${source}: its constructor threw ${messageOf(cause)}.`;
      throw new OperatorError("ENVIRONMENT", problem, "Mend the environment or its envOptions.", { cause });
    }
    const missing = methods.filter((method) => typeof environment[method] !== "function");
    if (missing.length > 0)
      throw new OperatorError(
        "ENVIRONMENT",
        `${source}: its class lacks ${missing.join(", ")}.`,
        "Implement Environment of anchorage/environment.",
      );
    return environment;
  });
  return new TypescriptEnvBatch(environments, source);
}

/** The default export of a user's module. */
async function importEnvironment(path: string): Promise<EnvironmentClass> {
  const module = await importUserModule({ what: "environment", field: "env", path, code: "ENVIRONMENT" });
  if (typeof module.default !== "function") {
    const exported = Object.keys(module).join(", ") || "nothing";
    const problem = `The environment module ${path} has no class as its default export (it exports ${exported}).`;
    throw new OperatorError("ENVIRONMENT", problem, "Write: export default class MyEnvironment implements Environment");
  }
  return module.default as EnvironmentClass;
}
