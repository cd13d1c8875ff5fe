import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { createJiti } from "jiti";
import { type ErrorCode, messageOf, OperatorError } from "./errors.ts";

export interface UserModule {
  readonly what: string; // "environment": names it in messages
  readonly field: string; // the setting that gave the path
  readonly path: string; // relative to the working folder
  readonly code: ErrorCode; // of what is thrown
}

/** The file that a user's module is in. Throws `code` if it is missing. */
export function userModuleFile({ what, field, path, code }: UserModule): string {
  const file = resolve(path);
  if (existsSync(file)) return file;
  const problem = `The ${what} module ${path} does not exist (looked for ${file}).`;
  throw new OperatorError(code, problem, `Correct ${field}, or run from the folder that it is relative to.`);
}

/** A user's module with all of its exports; TypeScript is compiled by jiti. Throws `code` if it is missing or does not load. */
export async function importUserModule(module: UserModule): Promise<Record<string, unknown>> {
  const { what, path, code } = module;
  const file = userModuleFile(module);
  try {
    return await createJiti(import.meta.url, { interopDefault: false }).import(file);
  } catch (cause) {
    const problem = `The ${what} module ${path} cannot be loaded: ${messageOf(cause)}.`;
    throw new OperatorError(code, problem, "Mend it.", { cause });
  }
}
