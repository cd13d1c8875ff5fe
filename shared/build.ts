import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "./nativeParts.ts";

/** Version of the package, as in package.json. */
export const packageVersion: string = (
  JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as { version: string }
).version;

function commit(): string | null {
  const given = process.env.ANCHORAGE_COMMIT; // images are built without .git
  if (given) return given;
  // An installed package may lie inside someone else's repository, whose commit says nothing about us.
  if (!existsSync(join(projectRoot, ".git"))) return null;
  try {
    const args = ["-C", projectRoot, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"];
    return execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], timeout: 5_000 }).trim();
  } catch {
    return null; // no git on this machine: the version alone names the build
  }
}

let known: string | null = null;

/** What code this process runs: `0.1.0+<commit>`, with `-dirty` for uncommitted changes, or the version alone. */
export function buildId(): string {
  if (known === null) {
    const of = commit();
    known = of === null ? packageVersion : `${packageVersion}+${of}`;
  }
  return known;
}
