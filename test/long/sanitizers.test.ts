import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { projectRoot } from "../../shared/nativeParts.ts";

/** The addons' own tests, and hostile snapshots, with ALE, the engine and the session compiled under ASan and UBSan. */
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "anchorage-sanitizers-"));
  await execa("node", ["scripts/sanitizers.mjs"], { cwd: projectRoot, stdio: "inherit" }); // builds
}, 3_600_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  for (const file of readdirSync(folder)) if (file.startsWith("report")) rmSync(join(folder, file));
});

/** Runs a command with the sanitized addons; `reports` is all that the sanitizers wrote. */
async function sanitized(command: readonly string[], more: Record<string, string> = {}) {
  // of the vitest that runs this: another one must not take them for its own
  const own = Object.keys(process.env).filter((name) => name.startsWith("VITEST") || name === "ANCHORAGE_TESTS");
  const env = { ...Object.fromEntries(own.map((name) => [name, undefined])), ...more };
  const { exitCode, stdout } = await execa("node", ["scripts/sanitizers.mjs", "--", ...command], {
    cwd: projectRoot,
    env: { ...env, SANITIZER_LOG: join(folder, "report") },
    reject: false,
    stderr: "inherit",
  });
  const reports = readdirSync(folder)
    .filter((file) => file.startsWith("report"))
    .map((file) => readFileSync(join(folder, file), "utf8"));
  return { exitCode, stdout, reports: reports.join("\n") };
}

async function tests(paths: readonly string[], effort: number) {
  const results = join(folder, "results.json");
  const program = ["node", "node_modules/vitest/vitest.mjs", "run", ...paths, "--testTimeout=3600000"];
  const report = ["--reporter=json", `--outputFile=${results}`];
  const { reports } = await sanitized([...program, ...report], { ANCHORAGE_FUZZ_EFFORT: String(effort) });
  const { numPassedTests: passed, numFailedTests: failed } = JSON.parse(readFileSync(results, "utf8"));
  return { passed: passed as number, failed: failed as number, reports };
}

it("the sanitizers are awake: both kinds of planted fault are reported", async () => {
  const planted = join(folder, "planted.node");
  const include = ["node-api-headers/include", "node-addon-api"].flatMap((path) => [
    "-isystem",
    `node_modules/${path}`,
  ]);
  const print = 'import("./scripts/sanitizers.mjs").then((it) => console.log(it.sanitizerFlags.join(" ")))';
  const sanitizerFlags = (await execa("node", ["-e", print], { cwd: projectRoot })).stdout.split(" ");
  const flags = ["-std=c++17", "-fPIC", "-shared", "-DNAPI_VERSION=8", "-DNAPI_CPP_EXCEPTIONS", ...include];
  const source = "test/long/fixtures/planted.cc";
  await execa(process.env.CXX || "g++", [...flags, ...sanitizerFlags, source, "-o", planted], { cwd: projectRoot });
  const use = (call: string) => sanitized(["node", "-e", `require(${JSON.stringify(planted)}).${call}`]);
  expect(await use("overrun(3)")).toMatchObject({ exitCode: 0, reports: "" });
  expect((await use("shift(40)")).reports).toMatch(/runtime error: shift exponent 40 is too large/);
  const overrun = await use("overrun(16)");
  expect(overrun.reports).toMatch(/AddressSanitizer: heap-buffer-overflow/);
  expect(overrun.exitCode).not.toBe(0);
});

it("the environments' tests pass and nothing is reported", async () => {
  const { passed, failed, reports } = await tests(["test/native"], 1);
  expect(reports).toBe("");
  expect(failed).toBe(0);
  expect(passed).toBeGreaterThan(200);
});

it("nothing is reported for thousands of hostile snapshots", async () => {
  const { passed, failed, reports } = await tests(["test/native/hostileSnapshots.test.ts"], 29);
  expect(reports).toBe("");
  expect([passed, failed]).toEqual([26, 0]);
});

it("the compiled update's tests pass in the sanitized session addon and nothing is reported", async () => {
  const { passed, failed, reports } = await tests(["test/learner/compiledUpdate.test.ts"], 1);
  expect(reports).toBe("");
  expect(failed).toBe(0);
  expect(passed).toBeGreaterThan(3);
});
