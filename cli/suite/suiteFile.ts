import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { messageOf, OperatorError } from "../../shared/errors.ts";
import { projectRoot } from "../../shared/nativeParts.ts";
import { schemaProblems } from "../../shared/schemaProblems.ts";
import { didYouMean } from "../../shared/suggest.ts";

/** RunConfig fields over the environment's preset; checked where the runs are made (suitePlan.ts). */
const Settings = z.record(z.string(), z.unknown(), "expected `field: value` lines");

const SuiteFile = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "expected letters, digits, dots, dashes and underscores")
    .optional()
    .describe("of the suite and its folder under runs/; default: the file's name"),
  environments: z
    .array(z.string().min(1), "expected a list of environments")
    .min(1, "is empty: name at least one")
    .describe("ids, or module paths"),
  algorithms: z
    .record(
      z.string(),
      z
        .record(
          z.string().min(1),
          Settings.nullable(),
          'expected labels with their settings, as "ano 0.3": {epsPos: 0.3}',
        )
        .refine((labels) => Object.keys(labels).length > 0, "is empty: name at least one label with its settings"),
      "expected algorithms, each with its labels",
    )
    .refine((algorithms) => Object.keys(algorithms).length > 0, "is empty: name at least one algorithm")
    .describe("algorithm -> label -> settings; a report groups by label"),
  seeds: z
    .array(z.int().nonnegative(), "expected a list of seeds")
    .min(1, "is empty: name at least one")
    .describe("of each combination"),
  settings: Settings.default({}).describe("of every run; a label's own are laid over them"),
});

/** A matrix of runs as its file has it. */
export interface Suite extends Omit<z.infer<typeof SuiteFile>, "name"> {
  readonly name: string;
  readonly file: string;
}

const shippedFolder = join(projectRoot, "suites");

/** Names of the suites that come with Anchorage. */
export function shippedSuites(): string[] {
  return readdirSync(shippedFolder)
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => basename(name, ".yaml"))
    .sort();
}

/**
 * The suite in a file (.yaml, .yml, .json), or a shipped one by its name. Throws CONFIG naming every wrong field with
 * its value.
 */
export function readSuite(nameOrFile: string): Suite {
  const file = suitePath(nameOrFile);
  let given: unknown;
  try {
    given = parseYaml(readFileSync(file, "utf8")); // JSON is YAML; a key that stands twice is refused here
  } catch (cause) {
    const problem = `The suite ${file} cannot be read: ${messageOf(cause).replace(/\.$/, "")}.`;
    throw new OperatorError("CONFIG", problem, "Give a YAML or JSON file, see docs/suites.md.", { cause });
  }
  const parsed = SuiteFile.safeParse(given ?? {}, { reportInput: true }); // an empty file lacks everything
  if (!parsed.success) {
    const problems = schemaProblems(parsed.error, Object.keys(SuiteFile.shape), "the suite");
    throw new OperatorError("CONFIG", `The suite ${file} is wrong: ${problems}.`, "docs/suites.md shows one.");
  }
  return { ...parsed.data, name: parsed.data.name ?? basename(file).replace(/\.(ya?ml|json)$/, ""), file };
}

function suitePath(nameOrFile: string): string {
  if (/\.(ya?ml|json)$/.test(nameOrFile)) return nameOrFile;
  const shipped = join(shippedFolder, `${nameOrFile}.yaml`);
  if (!nameOrFile.includes("/") && existsSync(shipped)) return shipped;
  const names = shippedSuites();
  throw new OperatorError(
    "CONFIG",
    `There is no suite ${nameOrFile}.`,
    `${didYouMean(nameOrFile, names)}Name one of ${names.join(", ")}, or a .yaml file of your own (docs/suites.md).`,
  );
}
