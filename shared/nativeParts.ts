import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { OperatorError } from "./errors.ts";

const NativeParts = z.object({
  tensorflow: z.object({ device: z.enum(["cpu", "gpu"]), library: z.string() }).nullable(),
  atariRoms: z.string().nullable(),
  mujocoModels: z.string().nullable(),
  natsServer: z.string().nullable(),
  addons: z.object({ atari: z.string().nullable(), mujoco: z.string().nullable(), session: z.string().nullable() }),
});
export type NativeParts = z.infer<typeof NativeParts>;

/** The project's root, from the sources and from dist/ alike. */
export const projectRoot = ((): string => {
  const above = dirname(dirname(fileURLToPath(import.meta.url)));
  return above.endsWith("dist") ? dirname(above) : above;
})();

/**
 * Where set-up put what is not JavaScript; ANCHORAGE_NATIVE_PATHS names another file of that kind (tests of the addons
 * under sanitizers). Throws SETUP if set-up has not run.
 */
export function nativeParts(): NativeParts {
  const file = process.env.ANCHORAGE_NATIVE_PATHS || join(projectRoot, "build", "paths.json");
  try {
    return NativeParts.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new OperatorError("SETUP", `${file} cannot be read.`, "Run: npm run setup", { cause });
  }
}
