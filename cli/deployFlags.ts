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
  try {
    const parsed: unknown = parseYaml(readFileSync(file, "utf8"));
    return parsed !== null && typeof parsed === "object" ? { ...parsed } : {};
  } catch (cause) {
    throw new OperatorError(
      "CONFIG",
      `--deploy ${file} cannot be read: ${messageOf(cause)}.`,
      "Give a YAML or JSON file.",
      {
        cause,
      },
    );
  }
}
