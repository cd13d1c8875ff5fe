import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { command } from "./command.mjs";
import { projectRoot } from "./places.mjs";
import { step } from "./progress.mjs";

/** Installs the npm packages if node_modules is not what package-lock.json says. */
export async function setUpNpmPackages() {
  const modules = join(projectRoot, "node_modules");
  if (npmPackagesPresent()) return;
  // `npm ci` empties node_modules first: right for a fresh clone, rude to what already runs from an older one
  const [verb, what] = existsSync(modules) ? ["install", "update"] : ["ci", "install"];
  await step(`${what} npm packages`, () =>
    command("npm", [verb, "--no-audit", "--no-fund", "--loglevel=error"], { cwd: projectRoot }),
  );
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
