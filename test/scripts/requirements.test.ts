import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { projectRoot } from "../../shared/nativeParts.ts";

/** A machine with nothing but what is put into its PATH, an empty cache, and no set-up done. */
let bin: string;
let cache: string;

beforeEach(() => {
  bin = mkdtempSync(join(tmpdir(), "anchorage-path-"));
  cache = mkdtempSync(join(tmpdir(), "anchorage-cache-"));
});
afterEach(() => {
  for (const folder of [bin, cache]) rmSync(folder, { recursive: true, force: true });
});

const setUp = (env: Record<string, string> = {}) =>
  execa(process.execPath, [join(projectRoot, "scripts", "setup.mjs")], {
    env: { PATH: bin, HOME: cache, ANCHORAGE_CACHE: cache, ...env },
    extendEnv: false,
    reject: false,
  });

const has = async (...tools: string[]) => {
  for (const tool of tools) symlinkSync((await execa("which", [tool])).stdout, join(bin, tool));
};
const hasBroken = (tool: string) => writeFileSync(join(bin, tool), "#!/bin/sh\nexit 1\n", { mode: 0o755 });

describe("set-up on a machine without its tools", () => {
  it("names everything that is missing at once, with the commands that install it", async () => {
    const run = await setUp();
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toContain("6 of the tools that set-up needs are missing");
    expect(run.stderr).toContain("apt-get install -y g++ binutils python3 python3-pip zlib1g-dev npm ");
    expect(run.stderr).toContain("dnf install -y gcc-c++ binutils python3 python3-pip zlib-devel npm ");
    expect(run.stderr).not.toMatch(/\n\s+at /); // a message, not a stack
  });

  it("does not ask for zlib when Atari is left out", async () => {
    const run = await setUp({ ANCHORAGE_WITHOUT_ATARI: "1" });
    expect(run.stderr).toContain("apt-get install -y g++ binutils python3 python3-pip npm ");
  });

  it("asks for pip alone where only pip is missing", async () => {
    await has("g++", "ar", "as", "node", "npm", "env", "sh");
    // python3 runs programs, but has no pip
    const python = '#!/bin/sh\nif [ "$1" = -m ]; then exit 1; fi\nexit 0\n';
    writeFileSync(join(bin, "python3"), python, { mode: 0o755 });
    const run = await setUp();
    expect(run.stderr).toContain("1 of the tools that set-up needs is missing");
    expect(run.stderr).toContain("apt-get install -y python3-pip ");
    expect(run.exitCode).toBe(1);
  });

  it("asks for a compiler where the one there is does not compile", async () => {
    await has("ar", "node", "npm", "env", "sh");
    hasBroken("g++");
    expect((await setUp({ ANCHORAGE_WITHOUT_ATARI: "1" })).stderr).toContain(
      "apt-get install -y g++ python3 python3-pip ",
    );
  });
});

describe("a setting that cannot be", () => {
  it.each([
    ["ANCHORAGE_DEVICE", "tpu", 'ANCHORAGE_DEVICE is "tpu". Set it to cpu or gpu'],
    ["ANCHORAGE_WITHOUT_ATARI", "yes", 'ANCHORAGE_WITHOUT_ATARI is "yes". Set it to 1, or unset it.'],
  ])("%s=%s", async (name, value, message) => {
    const run = await setUp({ [name]: value });
    expect(run.stderr).toContain(message);
    expect(run.exitCode).toBe(1);
  });
});
