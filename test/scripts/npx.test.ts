import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { projectRoot } from "../../shared/nativeParts.ts";

/** A clone with the real scripts and bin, and a command line that says what it was started with. */
let clone: string;
beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), "anchorage-npx-"));
  cpSync(join(projectRoot, "scripts"), join(clone, "scripts"), { recursive: true });
  for (const name of ["package.json", "package-lock.json"]) cpSync(join(projectRoot, name), join(clone, name));
});
afterEach(() => rmSync(clone, { recursive: true, force: true }));

function compile(says: string): void {
  rmSync(join(clone, "dist"), { recursive: true, force: true });
  mkdirSync(join(clone, "dist", "cli"), { recursive: true });
  writeFileSync(join(clone, "dist", ".stamp.json"), "{}");
  writeFileSync(join(clone, "dist", "cli", "main.js"), `console.log("${says}", ...process.argv.slice(1));`);
}

const npx = (...args: string[]) =>
  execa("npx", ["--offline", "anchorage", ...args], {
    cwd: clone,
    reject: false,
    env: { npm_config_cache: join(clone, ".npm"), PATH: process.env.PATH },
  });

describe("npx anchorage", () => {
  it("runs the compiled command line, also once that was compiled anew", async () => {
    compile("first");
    const first = await npx("suite", "quick", "--jobs", "2");
    const main = join(clone, "dist", "cli", "main.js");
    expect(first.stdout, first.stderr).toBe(`first ${main} suite quick --jobs 2`);
    compile("second");
    expect((await npx("report")).stdout).toBe(`second ${main} report`);
  }, 60_000);

  it("sets a clone up that is not compiled: here it names the tools that are missing", async () => {
    const empty = { PATH: join(clone, "nothing"), CXX: "", HOME: clone };
    const { exitCode, stderr, stdout } = await execa(process.execPath, ["scripts/anchorage.mjs", "suite", "quick"], {
      cwd: clone,
      reject: false,
      extendEnv: false,
      env: empty,
    });
    expect(stderr).toMatch(/of the tools that set-up needs are missing.*apt-get install -y g\+\+/s);
    expect(stdout).toBe("");
    expect(exitCode).toBe(1);
  }, 60_000);
});
