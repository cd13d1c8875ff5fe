import { existsSync } from "node:fs";
import { join } from "node:path";
import { OperatorError } from "./errors.ts";
import { projectRoot } from "./nativeParts.ts";

/**
 * The file of a worker thread, such as workerFile("actor/rolloutWorker"): always the compiled one, since Node 20 runs
 * no TypeScript; also from vitest, so build before such a test. Throws SETUP if it was not built.
 */
export function workerFile(module: string): string {
  const file = join(projectRoot, "dist", `${module}.js`);
  if (!existsSync(file)) throw new OperatorError("SETUP", `The worker ${file} is not built.`, "Run: npm run build");
  return file;
}
