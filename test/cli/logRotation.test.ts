import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { rotateIfLarger } from "../../cli/logRotation.ts";

describe("rotating a log that is held open", () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "anchorage-logs-"));
    path = join(folder, "learner.log");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("keeps every line, in order over the pieces, and the file small", () => {
    const log = openSync(path, "a");
    for (let i = 0; i < 40; i++) {
      writeSync(log, `line ${i}\n`);
      rotateIfLarger(path, 100, 9);
    }
    closeSync(log);
    const older = readdirSync(folder).length - 1;
    expect(older).toBe(3); // 40 lines of 7 or 8 bytes, a piece is complete with the 13th or 14th
    const pieces = Array.from({ length: older }, (_, i) => `${path}.${older - i}`);
    const text = [...pieces, path].map((piece) => readFileSync(piece, "utf8")).join("");
    expect(text).toBe(Array.from({ length: 40 }, (_, i) => `line ${i}\n`).join(""));
  });

  it("keeps only so many pieces, the newest", () => {
    const log = openSync(path, "a");
    for (let i = 0; i < 10; i++) {
      writeSync(log, `${i}`.repeat(10));
      rotateIfLarger(path, 5, 2);
    }
    closeSync(log);
    expect(readdirSync(folder).sort()).toEqual(["learner.log", "learner.log.1", "learner.log.2"]);
    expect(readFileSync(`${path}.1`, "utf8")).toBe("9999999999");
    expect(readFileSync(`${path}.2`, "utf8")).toBe("8888888888");
  });

  it("leaves a process that writes to it as its stderr writing, its last words included", async () => {
    const log = openSync(path, "a");
    const code = `const fs = require("fs"); fs.writeSync(2, "first\\n"); process.stdin.once("data", () => { throw new Error("last words"); });`;
    const child = spawn(process.execPath, ["-e", code], { stdio: ["pipe", "ignore", log] });
    closeSync(log);
    while (statSync(path).size === 0) await new Promise((resolve) => setImmediate(resolve));
    rotateIfLarger(path, 0, 3);
    child.stdin!.write("go");
    await once(child, "exit");
    expect(readFileSync(`${path}.1`, "utf8")).toBe("first\n");
    const rest = readFileSync(path, "utf8");
    expect(rest).toContain("Error: last words");
    expect(rest.includes("\0")).toBe(false); // appended at the new end, not behind a hole
  });
});
