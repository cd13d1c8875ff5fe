import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type AlgorithmName, isObjectivePath } from "../../shared/algorithms.ts";
import { OperatorError } from "../../shared/errors.ts";
import { importUserModule, type UserModule, userModuleFile } from "../../shared/userModule.ts";
import { type ExtraInput, extraInputs, type Objective } from "./objective.ts";
import { objectives } from "./registry.ts";

/** The objective of a run: the user's own, or the one that `algo` names. */
export function objectiveOf({ objective, algo }: { readonly objective?: Objective; readonly algo: string }): Objective {
  return objective ?? objectives[algo as AlgorithmName];
}

/**
 * The objective in a user's module, its default export; null where `algo` is an algorithm's name. TypeScript is compiled
 * by jiti; the path is relative to the working folder. Throws CONFIG saying what is wrong with the file or the export.
 */
export async function loadOwnObjective(algo: string): Promise<Objective | null> {
  if (!isObjectivePath(algo)) return null;
  const module = await importUserModule(objectiveModule(algo));
  return checkedObjective(algo, module);
}

/** `sha256 <hex>` of the user's module; null where `algo` is an algorithm's name. Throws CONFIG if the file is missing. */
export function ownObjectiveDigest(algo: string): string | null {
  if (!isObjectivePath(algo)) return null;
  const content = readFileSync(userModuleFile(objectiveModule(algo)));
  return `sha256 ${createHash("sha256").update(content).digest("hex")}`;
}

function objectiveModule(path: string): UserModule {
  return { what: "objective", field: "algo", path, code: "CONFIG" };
}

function checkedObjective(algo: string, module: Readonly<Record<string, unknown>>): Objective {
  const given = module.default as Partial<Objective> | null | undefined;
  if (typeof given?.perSample !== "function") {
    const exported = Object.keys(module).join(", ") || "nothing";
    const problem = `The objective module ${algo} has no object with a function perSample as its default export (it exports ${exported}).`;
    throw new OperatorError("CONFIG", problem, "Write it as docs/objectives.md shows.");
  }
  const needs: readonly string[] = given.needs ?? [];
  const unknown = needs.find((name) => !extraInputs.includes(name as ExtraInput));
  if (unknown !== undefined)
    throw new OperatorError(
      "CONFIG",
      `The objective module ${algo} needs ${unknown}, which no minibatch has.`,
      `It may need ${extraInputs.join(", ")}.`,
    );
  if (given.nextKlCoef !== undefined && !(needs.includes("klCoef") && needs.includes("oldPolicy")))
    throw new OperatorError(
      "CONFIG",
      `The objective module ${algo} has nextKlCoef, but does not need klCoef and oldPolicy.`,
      "Write: needs: ['klCoef', 'oldPolicy']",
    );
  return given as Objective;
}
