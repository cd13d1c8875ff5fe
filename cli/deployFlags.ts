import { readFileSync } from "node:fs";
import { parse as parseYaml } from "yaml";
import { DeployConfig } from "../shared/deployConfig.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import { schemaProblems } from "../shared/schemaProblems.ts";

type DeployFlags = { readonly deploy?: string | undefined } & Readonly<Record<string, unknown>>;

/** Reads a deploy file, ANCHORAGE_* variables over it and flags over those. Throws CONFIG naming field, value, remedy. */
export function deployConfig(flags: DeployFlags): DeployConfig {
  const merged = given(flags);
  for (const field of Object.keys(DeployConfig.shape)) if (flags[field] !== undefined) merged[field] = flags[field];
  const parsed = DeployConfig.safeParse(merged, { reportInput: true });
  if (parsed.success) return Object.freeze(parsed.data);
  throw new OperatorError(
    "CONFIG",
    `The deploy config is wrong: ${schemaProblems(parsed.error, Object.keys(DeployConfig.shape), "the deploy config")}.`,
    "Mend the flag, the ANCHORAGE_* variable or the file; docs/configuration.md lists every field.",
  );
}

/** Of `train`: without the addresses that it chooses itself. */
export function trainDeployConfig(flags: DeployFlags): DeployConfig {
  const settings = given(flags);
  for (const field of ["coordinatorListen", "coordinator", "nats"])
    if (settings[field] !== undefined)
      throw new OperatorError(
        "CONFIG",
        `${field}=${String(settings[field])} is not for train, which starts its own coordinator and NATS server on free ports of this machine.`,
        `Remove ${field} from the deploy file and ${variableOf(field)} from the environment, or start the roles one by one (anchorage coordinator, learner, actor).`,
      );
  for (const field of ["tls", "natsCredentials"])
    if (settings[field] !== undefined && settings[field] !== null)
      throw new OperatorError(
        "CONFIG",
        `${field}=${String(settings[field])} is not for train, whose processes find each other on this machine with secrets of their own.`,
        `Remove ${field} from the deploy file and ${variableOf(field)} from the environment, or start the roles one by one (deploy/README.md).`,
      );
  return deployConfig(flags);
}

function given({ deploy }: DeployFlags): Record<string, unknown> {
  return { ...(deploy === undefined ? {} : readDeployFile(deploy)), ...fromVariables() };
}

/** `leaseSeconds` is read from ANCHORAGE_LEASE_SECONDS and so on. */
const variableOf = (field: string): string =>
  `ANCHORAGE_${field.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

function fromVariables(): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const field of Object.keys(DeployConfig.shape)) {
    const value = process.env[variableOf(field)];
    if (value !== undefined) found[field] = plainValue(value);
  }
  return found;
}

function plainValue(text: string): boolean | number | string {
  if (text === "true" || text === "false") return text === "true";
  return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

function readDeployFile(file: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = parseYaml(readFileSync(file, "utf8")); // JSON is YAML
  } catch (cause) {
    const problem = `--deploy ${file} cannot be read: ${messageOf(cause)}.`;
    throw new OperatorError("CONFIG", problem, "Give a YAML or JSON file.", { cause });
  }
  if (parsed !== null && typeof parsed === "object" && !Array.isArray(parsed)) return { ...parsed };
  const remedy = "Write `field: value` lines, see docs/configuration.md.";
  throw new OperatorError("CONFIG", `--deploy ${file} holds no settings.`, remedy);
}
