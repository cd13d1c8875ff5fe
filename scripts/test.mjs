/**
 * npm test [-- VITEST ARGUMENTS]: sets up, compiles, checks, runs the tests. With arguments (a path, -t NAME) the check
 * is left out. npm run test:long and test:chaos run test/long/ and test/chaos/ instead. The last line counts the tests.
 */
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "./build.mjs";
import { check } from "./check.mjs";
import { projectRoot } from "./setup/places.mjs";
import { fail, SetupError } from "./setup/setupError.mjs";
import { setUp } from "./setup.mjs";

const apart = { "--long": "long", "--chaos": "chaos" }[process.argv[2]];
const args = process.argv.slice(apart === undefined ? 2 : 3);

/** One seed for all random choices of a run: ANCHORAGE_CHAOS_SEED, else drawn for the tests apart, else 1. */
function seedOfRun() {
  const given = process.env.ANCHORAGE_CHAOS_SEED;
  if (given === undefined) return apart === undefined ? 1 : randomInt(2 ** 31);
  if (/^\d+$/.test(given) && Number.isSafeInteger(Number(given))) return Number(given);
  throw new SetupError(
    `ANCHORAGE_CHAOS_SEED is "${given}", which is no seed: give a non-negative integer, or leave it out.`,
  );
}

/** Runs vitest with its usual report and gives its exit status and its counts; no counts if it ended before it had any. */
async function runVitest(seed) {
  const folder = mkdtempSync(join(tmpdir(), "anchorage-test-"));
  const file = join(folder, "results.json");
  const program = join(projectRoot, "node_modules", "vitest", "vitest.mjs");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  const env = { ...process.env, ANCHORAGE_CHAOS_SEED: String(seed), ...(apart && { ANCHORAGE_TESTS: apart }) };
  const child = spawn(process.execPath, [program, "run", ...reporters, ...args], {
    cwd: projectRoot,
    stdio: "inherit",
    env,
  });
  const status = await new Promise((done) => child.on("close", (code) => done(code ?? 1)));
  try {
    return { status, counts: JSON.parse(readFileSync(file, "utf8")) };
  } catch (error) {
    console.log(`vitest left no results: ${error.message}`);
    return { status: status || 1, counts: undefined };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  const seed = seedOfRun();
  const tellSeed = () =>
    apart && console.log(`chaos seed ${seed} (the same choices again: ANCHORAGE_CHAOS_SEED=${seed})`);
  tellSeed();
  await setUp();
  await build();
  const checked = args.length > 0 || apart ? true : await check();
  const { status, counts } = await runVitest(seed);
  const passed = counts?.numPassedTests ?? 0;
  const failed = counts?.numFailedTests ?? 0;
  const skipped = (counts?.numPendingTests ?? 0) + (counts?.numTodoTests ?? 0);
  if (!checked) console.log("The check failed: see above.");
  if (passed + failed === 0) console.log("No test was executed, which counts as a failure.");
  tellSeed();
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  process.exitCode = status === 0 && checked && failed === 0 && passed > 0 ? 0 : 1;
} catch (error) {
  fail(error);
}
