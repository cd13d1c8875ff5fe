import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "./nativeParts.ts";

const read = (file: string): unknown => JSON.parse(readFileSync(join(projectRoot, file), "utf8"));

/** Version of the package, as in package.json. */
export const packageVersion: string = (read("package.json") as { version: string }).version;

/** Written by scripts/build.mjs: a digest of all that dist/ and the addons were made of. */
const stampFile = join("dist", ".stamp.json");

let known: string | null = null;

/**
 * What code this process runs: `0.1.0+<digest of the sources>`, the same wherever the same sources were compiled and
 * whatever was committed since; the version alone where dist/ was made by other means.
 */
export function buildId(): string {
  if (known === null) {
    const stamped = existsSync(join(projectRoot, stampFile));
    known = stamped ? `${packageVersion}+${(read(stampFile) as { stamp: string }).stamp.slice(0, 12)}` : packageVersion;
  }
  return known;
}
