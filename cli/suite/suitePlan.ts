import { basename } from "node:path";
import { algorithmNames, isObjectivePath } from "../../shared/algorithms.ts";
import { messageOf, OperatorError } from "../../shared/errors.ts";
import { resolveRunConfig } from "../../shared/presets.ts";
import { RunConfig, runShape } from "../../shared/runConfig.ts";
import { didYouMean } from "../../shared/suggest.ts";
import { withInitialFile } from "../initFrom.ts";
import type { Suite } from "./suiteFile.ts";

/** One run of a suite, checked and not begun. */
export interface PlannedRun {
  /** Also its folder's name in the suite's folder. */
  readonly id: string;
  readonly label: string;
  readonly environment: string;
  readonly algorithm: string;
  readonly setting: Readonly<Record<string, unknown>>; // of the label alone
  readonly seed: number;
  readonly given: Readonly<Record<string, unknown>>; // RunConfig fields, as `train` is told them
  readonly config: RunConfig;
  readonly totalSteps: number; // agent steps, whole rounds
}

/** What is wrong with a suite: the same mistake is in many of its runs, and is told once. */
class Problems {
  readonly #where = new Map<string, string[]>();

  add(problem: string, run?: string): void {
    const before = this.#where.get(problem) ?? [];
    this.#where.set(problem, run === undefined ? before : [...before, run]);
  }

  /** Throws CONFIG with all of them. */
  throwIfAny(suite: Suite): void {
    if (this.#where.size === 0) return;
    const lines = [...this.#where].map(([problem, runs]) => {
      const others = runs.length > 1 ? ` and ${runs.length - 1} more` : "";
      return `\n  - ${runs.length > 0 ? `${runs[0]}${others}: ` : ""}${problem}`;
    });
    const count = lines.length === 1 ? "one problem" : `${lines.length} problems`;
    throw new OperatorError(
      "CONFIG",
      `The suite ${suite.file} has ${count}; nothing was started:${lines.join("")}\n`,
      "Mend the file; docs/suites.md shows one, docs/configuration.md lists the settings.",
    );
  }
}

/** Makes a run's environment and loads its objective, if it brings its own. Throws what is wrong with them. */
export type CheckParts = (config: RunConfig) => Promise<void>;

/**
 * Every run of a suite, in the order in which they are run: seed by seed, so that an unfinished suite has some of
 * everything. Throws CONFIG with all that is wrong at once; `check` is called once for runs that share their parts.
 */
export async function planSuite(suite: Suite, check: CheckParts): Promise<PlannedRun[]> {
  const problems = new Problems();
  checkLists(suite, problems);
  checkKeys(suite, problems);
  const runs = resolvedRuns(suite, problems);
  const alike = groups(runs, ({ config: { env, envOptions, algo, network, initFrom } }) =>
    JSON.stringify([env, envOptions, network, initFrom, isObjectivePath(algo) ? algo : ""]),
  );
  for (const [first] of alike.values())
    await check(first!.config).catch((error: unknown) => problems.add(withoutCode(error), first!.id));
  problems.throwIfAny(suite);
  return runs;
}

/** Those whose settings are in order. What checkLists and checkKeys have named already is left out. */
function resolvedRuns(suite: Suite, problems: Problems): PlannedRun[] {
  const runs: PlannedRun[] = [];
  for (const seed of new Set(suite.seeds))
    for (const environment of new Set(suite.environments))
      for (const [algorithm, labels] of Object.entries(suite.algorithms).filter(([name]) => isAlgorithm(name)))
        for (const [label, own] of Object.entries(labels)) {
          const id = `${plain(environment)}-${plain(label)}-s${seed}`;
          const setting = knownOf(own ?? {});
          const settings = { ...knownOf(suite.settings), ...setting, env: environment, algo: algorithm, seed };
          try {
            const given = withInitialFile(settings);
            const config = resolveRunConfig(given);
            const { rounds, stepsPerRound } = runShape(config);
            const totalSteps = rounds * stepsPerRound;
            runs.push({ id, label, environment, algorithm, setting, seed, given, config, totalSteps });
          } catch (error) {
            problems.add(withoutCode(error), id);
          }
        }
  for (const [id, sharing] of groups(runs, (run) => run.id)) {
    const names = new Set(sharing.map(({ environment, label }) => `${JSON.stringify(label)} on ${environment}`));
    if (names.size > 1) problems.add(`${[...names].join(" and ")} would share the folder ${id}: rename one.`);
  }
  return runs;
}

const isAlgorithm = (name: string): boolean =>
  isObjectivePath(name) || (algorithmNames as readonly string[]).includes(name);

function checkLists(suite: Suite, problems: Problems): void {
  for (const field of ["environments", "seeds"] as const)
    for (const twice of repeated<string | number>(suite[field]))
      problems.add(`${field}: ${twice} is there more than once, which would count one run several times.`);
  for (const twice of repeated(Object.values(suite.algorithms).flatMap((labels) => Object.keys(labels))))
    problems.add(`algorithms: the label ${JSON.stringify(twice)} is there more than once; a report groups by it.`);
  for (const algorithm of Object.keys(suite.algorithms))
    if (!isAlgorithm(algorithm))
      problems.add(
        `algorithms.${algorithm} is no algorithm. ${didYouMean(algorithm, algorithmNames)}They are ${algorithmNames.join(", ")}, or the path of a module (.ts, .mts, .js, .mjs).`,
      );
}

const ownPlace: Readonly<Record<string, string>> = { env: "environments", algo: "algorithms", seed: "seeds" };

const known = Object.keys(RunConfig.shape).filter((field) => !Object.hasOwn(ownPlace, field));
const knownOf = (settings: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(settings).filter(([field]) => known.includes(field)));

/** Of settings: named where they stand in the file, once, and not once per run. */
function checkKeys(suite: Suite, problems: Problems): void {
  const check = (where: string, settings: Readonly<Record<string, unknown>>): void => {
    for (const [key, value] of Object.entries(settings)) {
      const assignment = `${where}: ${key}=${JSON.stringify(value)}`;
      if (Object.hasOwn(ownPlace, key))
        problems.add(`${assignment} is no setting here: write it under ${ownPlace[key]}.`);
      else if (!known.includes(key)) problems.add(`${assignment} is no setting. ${didYouMean(key, known)}`.trim());
    }
  };
  check("settings", suite.settings);
  for (const [algorithm, labels] of Object.entries(suite.algorithms))
    for (const [label, settings] of Object.entries(labels))
      check(`algorithms.${algorithm}.${JSON.stringify(label)}`, settings ?? {});
}

function groups<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const item of items) found.set(keyOf(item), [...(found.get(keyOf(item)) ?? []), item]);
  return found;
}

function repeated<T>(values: readonly T[]): T[] {
  return [...new Set(values.filter((value, i) => values.indexOf(value) !== i))];
}

/** As part of a folder's name: a module without its path and ending, and nothing that a shell or file system minds. */
function plain(text: string): string {
  return basename(text)
    .replace(/\.[cm]?[jt]s$/, "")
    .replace(/[^A-Za-z0-9._-]+/g, "-");
}

function withoutCode(error: unknown): string {
  return error instanceof OperatorError ? `${error.problem} ${error.remedy}` : messageOf(error);
}
