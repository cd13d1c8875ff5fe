/** npm start -- [flags of `anchorage train`]: sets up what is missing, compiles what changed, trains. */
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
launch("cli/main.js", ["train", ...process.argv.slice(2)]);
