/** npm run bench -- [flags]: sets up what is missing, compiles what changed, measures. */
import { build } from "./build.mjs";
import { launch } from "./launch.mjs";
import { fail } from "./setup/setupError.mjs";
import { setUp } from "./setup.mjs";

try {
  await setUp();
  await build();
} catch (error) {
  fail(error);
}
launch("bench/main.js", process.argv.slice(2));
