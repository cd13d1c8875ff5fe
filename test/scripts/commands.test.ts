import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { projectRoot } from "../../shared/nativeParts.ts";

const script = (name: string, ...args: string[]) =>
  execa(process.execPath, [join(projectRoot, "scripts", name), ...args], { reject: false });

describe("npm run setup", () => {
  it("takes less than 3 s and says one line when there is nothing to do", async () => {
    await script("setup.mjs");
    const since = performance.now();
    const { stderr, stdout, exitCode } = await script("setup.mjs");
    expect(performance.now() - since).toBeLessThan(3000);
    expect(stderr).toMatch(/^setup: nothing to do \(\d+\.\d s\)$/);
    expect(stdout).toBe(""); // stdout is the started command's
    expect(exitCode).toBe(0);
  }, 300_000);
});

describe("npm test", () => {
  const counted = "npm test, run by this test to be counted";
  const lastLine = (stdout: string) => stdout.trimEnd().split("\n").at(-1);

  it("fails when no test is executed", async () => {
    const { stdout, exitCode } = await script(
      "test.mjs",
      "test/scripts/commands.test.ts",
      "-t",
      "a name that no test has",
    );
    expect(lastLine(stdout)).toMatch(/^0 passed, 0 failed, \d+ skipped$/);
    expect(stdout).toContain("No test was executed, which counts as a failure.");
    expect(exitCode).toBe(1);
  });

  it("fails when no file is found", async () => {
    const { stdout, exitCode } = await script("test.mjs", "test/nothingHere");
    expect(lastLine(stdout)).toBe("0 passed, 0 failed, 0 skipped");
    expect(exitCode).toBe(1);
  });

  it("closes with the count", async () => {
    const { stdout, exitCode } = await script("test.mjs", "test/scripts/commands.test.ts", "-t", counted);
    expect(lastLine(stdout)).toMatch(/^1 passed, 0 failed, \d+ skipped$/);
    expect(exitCode).toBe(0);
  });

  it(counted, () => {
    expect(projectRoot).not.toBe("");
  });
});

it("what npm start and npm test load before they set up needs no installed package", async () => {
  const clone = await mkdtemp(join(tmpdir(), "anchorage-fresh-"));
  onTestFinished(() => rm(clone, { recursive: true }));
  await cp(join(projectRoot, "scripts"), join(clone, "scripts"), { recursive: true });
  const loaded = ["setup", "build", "check", "launch"].map((name) => `await import("./scripts/${name}.mjs");`);
  const { stderr, exitCode } = await execa(process.execPath, ["--input-type=module", "-e", loaded.join("")], {
    cwd: clone,
    reject: false,
  });
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
});
