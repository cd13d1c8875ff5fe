import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { projectRoot } from "../../shared/nativeParts.ts";

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "anchorage-cache-"));
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

/** A process that runs a few lines which have the modules of scripts/setup at hand. */
function script(lines: string) {
  const from = (name: string) => JSON.stringify(join(projectRoot, "scripts", "setup", name));
  const imports = [
    `import { withLock } from ${from("lock.mjs")};`,
    `import { part, removeLeftovers } from ${from("part.mjs")};`,
    `import { prune, rememberUser } from ${from("prune.mjs")};`,
    `import { unpack } from ${from("archives.mjs")};`,
    'import { appendFileSync, writeFileSync } from "node:fs";',
    "const pause = (ms) => new Promise((done) => setTimeout(done, ms));",
  ];
  const env = { ANCHORAGE_CACHE: cache, PIP_NO_INDEX: "1", PIP_FIND_LINKS: cache };
  return execa(process.execPath, ["--input-type=module", "-e", [...imports, lines].join("\n")], { env, reject: false });
}

describe("two set-ups at the same time", () => {
  it("take turns", async () => {
    const log = JSON.stringify(join(cache, "log"));
    const turn = (name: string) =>
      script(`await withLock("a folder", async () => {
        appendFileSync(${log}, "${name} in\\n"); await pause(300); appendFileSync(${log}, "${name} out\\n");
      });`);
    await Promise.all([turn("a"), turn("b"), turn("c")]);
    const lines = readFileSync(join(cache, "log"), "utf8").trim().split("\n");
    expect(lines).toHaveLength(6);
    for (const at of [0, 2, 4]) expect(lines[at + 1]).toBe(lines[at]!.replace(" in", " out"));
  });

  it("are not held up by one that was killed", async () => {
    const held = script('await withLock("a folder", async () => { console.log("held"); await pause(60000); });');
    await new Promise((held_) => held.stdout!.once("data", held_));
    held.kill("SIGKILL");
    await held;
    expect((await script('await withLock("a folder", async () => console.log("free"));')).stdout).toBe("free");
  });
});

describe("a part of the cache", () => {
  const make = (after: string) =>
    `console.log(await part("thing", async (folder) => { writeFileSync(folder + "/one", "1"); ${after} writeFileSync(folder + "/two", "2"); }));`;

  it("is absent after its maker was killed in the middle, and whole after the next try", async () => {
    const killed = script(make('process.kill(process.pid, "SIGKILL");'));
    expect((await killed).signal).toBe("SIGKILL");
    expect(existsSync(join(cache, "parts", "thing"))).toBe(false);
    expect(readdirSync(join(cache, "parts"))).toHaveLength(1); // what the killed one left

    await script(`await removeLeftovers(); ${make("")}`);
    expect(readdirSync(join(cache, "parts"))).toEqual(["thing"]);
    expect(readdirSync(join(cache, "parts", "thing")).sort()).toEqual(["one", "two"]);
  });

  it("is absent after its maker failed", async () => {
    const run = await script(make('throw new Error("no room");'));
    expect(run.stderr).toContain("no room");
    expect(readdirSync(join(cache, "parts"))).toEqual([]);
  });

  it("is made once by two that start together", async () => {
    const runs = await Promise.all([script(make("await pause(200);")), script(make("await pause(200);"))]);
    for (const run of runs) expect(run.stdout).toBe(join(cache, "parts", "thing"));
    expect(readdirSync(join(cache, "parts"))).toEqual(["thing"]);
  });
});

describe("a downloaded archive", () => {
  const wheel = "planted-1.0-py3-none-any.whl";
  /** A wheel for pip to find, made by Python's zipfile. */
  const plant = () =>
    execa("python3", [
      "-c",
      `import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as z:
    z.writestr(zipfile.ZipInfo("planted/data.txt"), "what it holds")
    z.writestr(zipfile.ZipInfo("planted/other.bin"), "not asked for")
    z.writestr(zipfile.ZipInfo("planted-1.0.dist-info/METADATA"), "Metadata-Version: 2.1\\nName: planted\\nVersion: 1.0\\n")
    z.writestr(zipfile.ZipInfo("planted-1.0.dist-info/WHEEL"), "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    z.writestr(zipfile.ZipInfo("planted-1.0.dist-info/RECORD"), "")
import hashlib
print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())`,
      join(cache, wheel),
    ]);
  const unpackIt = (sha256: string) => {
    const pin = JSON.stringify({ requirement: "planted==1.0", file: wheel, sha256 });
    return script(`await unpack(${pin}, ${JSON.stringify(join(cache, "out"))}, ["planted/*.txt"]);`);
  };

  it("is unpacked when its SHA-256 is the pinned one: only the members that were asked for", async () => {
    const { stdout: sha256 } = await plant();
    expect((await unpackIt(sha256)).exitCode).toBe(0);
    expect(readFileSync(join(cache, "out", "planted", "data.txt"), "utf8")).toBe("what it holds");
    expect(readdirSync(join(cache, "out", "planted"))).toEqual(["data.txt"]);
  });

  it("is refused, and kept nowhere, when it is another", async () => {
    const { stdout: sha256 } = await plant();
    const pinned = "0".repeat(64);
    const run = await unpackIt(pinned);
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toContain(`${wheel} has SHA-256 ${sha256}, expected ${pinned}. It was not used.`);
    expect(existsSync(join(cache, "out"))).toBe(false);
    expect(readdirSync(join(cache, "downloads"))).toEqual([]);
  });
});

describe("superseded parts", () => {
  const day = 24 * 3600 * 1000;
  const make = (name: string) => `await part("${name}", async (folder) => writeFileSync(folder + "/file", ""));`;
  const parts = () => readdirSync(join(cache, "parts")).sort();

  it("go after 30 days in which no clone was made of them, and not before", async () => {
    const clone = JSON.stringify(cache); // any folder that is there
    const mine = 'await rememberUser(["/elsewhere/parts/used"], ' + clone + ");";
    const theirs = 'await rememberUser(["gone"], "/no/such/clone");';
    await script(`${make("used")} ${make("gone")} ${make("loose")} ${mine} ${theirs}`);
    await script(`await prune(Date.now() + ${29 * day});`);
    expect(parts()).toEqual(["gone", "loose", "used"]);
    const { stderr } = await script(`await prune(Date.now() + ${31 * day});`);
    expect(parts()).toEqual(["used"]);
    expect(stderr).toContain("removed 2 superseded parts");
    expect(readdirSync(join(cache, "users"))).toHaveLength(1); // and the removed clone is forgotten
  });
});
