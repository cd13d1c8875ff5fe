#!/usr/bin/env node
/**
 * npx anchorage COMMAND: the compiled command line; a clone that is not compiled yet is set up first, as by npm start.
 * The bin of package.json, and not what tsc writes: npx links a package's bin once, executable, and keeps the link. A clone
 * whose bin was missing then would have no command for good, and one that was compiled anew a file that cannot be run.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, isCompiled } from "./build.mjs";
import { projectRoot } from "./setup/places.mjs";
import { fail } from "./setup/setupError.mjs";

if (!isCompiled())
  try {
    const { setUp } = await import("./setup.mjs");
    await setUp();
    await build();
  } catch (error) {
    fail(error);
  }
const main = join(projectRoot, "dist", "cli", "main.js");
process.argv[1] = main; // what the processes of a run are started as
await import(pathToFileURL(main).href);
