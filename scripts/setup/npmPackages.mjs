import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { command } from "./command.mjs";
import { projectRoot } from "./places.mjs";
import { step } from "./progress.mjs";

/** Installs the npm packages if node_modules is not what package-lock.json says. */
export async function setUpNpmPackages() {
  if (npmPackagesPresent()) return;
  // not `npm ci`: it empties node_modules under what already runs from it, and it refuses a lockfile that lacks the
  // optional packages of other systems, as one written beside a registry mirror without them does. This installs what
  // is locked, with the locked integrity, and leaves package.json and the lockfile alone.
  const flags = ["--no-save", "--no-audit", "--no-fund", "--loglevel=error"];
  await step("install npm packages", () => command("npm", ["install", ...flags], { cwd: projectRoot }));
}

/** npm keeps a lockfile of what it installed inside node_modules: each version there must be the one we lock. */
export function npmPackagesPresent() {
  const installedFile = join(projectRoot, "node_modules", ".package-lock.json");
  if (!existsSync(installedFile)) return false;
  const wanted = JSON.parse(readFileSync(join(projectRoot, "package-lock.json"), "utf8")).packages;
  const installed = JSON.parse(readFileSync(installedFile, "utf8")).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    const present = installed[path] && existsSync(join(projectRoot, path));
    return (
      path === "" ||
      (present ? installed[path].version === entry.version : entry.optional === true || entry.peer === true)
    );
  });
}
