import type { z } from "zod";
import { OperatorError } from "../shared/errors.ts";
import { didYouMean } from "../shared/suggest.ts";

/** An environment's options by their schema. Throws CONFIG naming the one that is wrong, its value and what it is. */
export function parseOptions<Schema extends z.ZodObject>(
  id: string,
  schema: Schema,
  envOptions: Readonly<Record<string, unknown>>,
): z.infer<Schema> {
  const names = Object.keys(schema.shape);
  for (const [name, value] of Object.entries(envOptions))
    if (!names.includes(name))
      throw new OperatorError(
        "CONFIG",
        `envOptions.${name} = ${shown(value)}: ${id} has no such option.`,
        `${didYouMean(name, names)}It has: ${names.join(", ")}.`,
      );
  const parsed = schema.safeParse(envOptions);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  const name = String(path[0]);
  const problem = `envOptions.${name} = ${shown(envOptions[name])} is not possible for ${id}: ${message}.`;
  throw new OperatorError("CONFIG", problem, `${name} is: ${(schema.shape[name] as z.ZodType).description}.`);
}

const shown = (value: unknown): string => JSON.stringify(value) ?? String(value);
