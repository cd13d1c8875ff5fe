import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { projectRoot } from "../../shared/nativeParts.ts";

/** A project whose only program counts the SIGINTs it gets, and ends with status 7 one second after the first. */
let project: string;
const program = `
let count = 0;
process.on("SIGINT", () => {
  console.log("SIGINT " + ++count);
  if (count === 1) setTimeout(() => process.exit(7), 1000);
});
setInterval(() => {}, 1000);
console.log("started with " + process.argv.slice(2).join(","));
`;

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), "anchorage-launch-"));
  cpSync(join(projectRoot, "scripts"), join(project, "scripts"), { recursive: true });
  mkdirSync(join(project, "dist"));
  writeFileSync(join(project, "dist", "program.js"), program);
});
afterEach(() => rmSync(project, { recursive: true, force: true }));

async function launched() {
  const lines = 'import { launch } from "./scripts/launch.mjs"; launch("program.js", ["--a", "b"]);';
  const child = execa(process.execPath, ["--input-type=module", "-e", lines], { cwd: project, reject: false });
  await new Promise((started) => child.stdout!.once("data", started));
  return { child }; // not the child itself, which is a promise of its end
}

describe("npm start's launcher", () => {
  it("passes one Ctrl-C on once, though npm sends it a second time, and ends with the program's status", async () => {
    const { child } = await launched();
    child.kill("SIGINT"); // from the terminal
    await sleep(10);
    child.kill("SIGINT"); // from npm
    const { stdout, exitCode } = await child;
    expect(stdout.split("\n")).toEqual(["started with --a,b", "SIGINT 1"]);
    expect(exitCode).toBe(7);
  });

  it("passes a second press on as a second one", async () => {
    const { child } = await launched();
    child.kill("SIGINT");
    await sleep(700);
    child.kill("SIGINT");
    expect((await child).stdout).toContain("SIGINT 2");
  });

  it("ends as by that signal when the program did: 128 + 15", async () => {
    const { child } = await launched();
    child.kill("SIGTERM");
    expect((await child).exitCode).toBe(143);
  });
});
