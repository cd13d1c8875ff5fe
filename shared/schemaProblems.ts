import type { z } from "zod";
import { didYouMean } from "./suggest.ts";

/** A message is for people: of settings that are none so many are named. */
const mostNamed = 10;

/**
 * What is wrong with settings, one phrase per field, with its value; `known`: the names at the top level, `whole`: what
 * to call the settings where it is no single field. Parse with `reportInput`, else the values are not there.
 */
export function schemaProblems(error: z.ZodError, known: readonly string[], whole: string): string {
  const phrases = error.issues.map((issue) => {
    const field = issue.path.join(".");
    if (issue.code === "unrecognized_keys") {
      const near = field === "" ? known : [];
      const more = issue.keys.length > mostNamed ? [`and ${issue.keys.length - mostNamed} more`] : [];
      return issue.keys
        .slice(0, mostNamed)
        .map((key) => {
          const hint = didYouMean(key, near).trim();
          return `${[...issue.path, key].join(".")}${assigned(issue.input, key)} is no setting${hint && ` (${hint})`}`;
        })
        .concat(more)
        .join("; ");
    }
    const got = issue.input === undefined ? "" : ` (got ${JSON.stringify(issue.input)})`;
    return `${field || whole}: ${issue.message}${got}`;
  });
  return phrases.join("; ");
}

/** `=value`, or "" where it is not known. */
function assigned(settings: unknown, key: string): string {
  const value = (settings as Readonly<Record<string, unknown>> | undefined)?.[key];
  return value === undefined ? "" : `=${JSON.stringify(value)}`;
}
