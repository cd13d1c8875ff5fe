import { readFileSync } from "node:fs";
import { parse as parseYaml } from "yaml";
import { DeployConfig } from "../shared/deployConfig.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";

/** Reads a deploy file, ANCHORAGE_* variables over it and flags over those. Throws CONFIG naming field, value, remedy. */
export function deployConfig(flags: { readonly deploy?: string } & Record<string, unknown>): DeployConfig {
  const merged = { ...(flags.deploy === undefined ? {} : readDeployFile(flags.deploy)), ...fromVariables() };
  for (const field of Object.keys(DeployConfig.shape)) if (flags[field] !== undefined) merged[field] = flags[field];
  const parsed = DeployConfig.safeParse(merged, { reportInput: true });
  if (parsed.success) return Object.freeze(parsed.data);
  const lines = parsed.error.issues.map((issue) => {
    const got = issue.input === undefined ? "" : ` (got ${JSON.stringify(issue.input)})`;
    return `${issue.path.join(".") || "the deploy config"}: ${issue.message}${got}`;
  });
  throw new OperatorError(
    "CONFIG",
    `The deploy config is wrong: ${lines.join("; ")}.`,
    "Mend the flag, the ANCHORAGE_* variable or the file; docs/configuration.md lists every field.",
  );
}

/** `leaseSeconds` is read from ANCHORAGE_LEASE_SECONDS and so on. */
function fromVariables(): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const field of Object.keys(DeployConfig.shape)) {
    const value = process.env[`ANCHORAGE_${field.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`];
    if (value !== undefined) found[field] = numberOrText(value);
  }
  return found;
}

function numberOrText(text: string): number | string {
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
