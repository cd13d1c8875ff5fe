import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { withLogInRun } from "../../cli/openInRun.ts";

it("keeps no file open for the processes that it started, which write to their log all the same", async () => {
  const runDir = mkdtempSync(join(tmpdir(), "anchorage-run-"));
  onTestFinished(() => rmSync(runDir, { recursive: true, force: true }));
  const logsOpen = (): number => readdirSync("/proc/self/fd").filter((fd) => target(fd).startsWith(runDir)).length;
  const write = (): Promise<unknown> =>
    withLogInRun(runDir, "logs", "actor.log", (log) => {
      const child = spawn("sh", ["-c", "echo started >&2"], { stdio: ["ignore", log, log] });
      expect(logsOpen()).toBe(1);
      return once(child, "exit");
    });
  const ends = [write(), write(), write()];
  expect(logsOpen()).toBe(0);
  await Promise.all(ends);
  expect(readFileSync(join(runDir, "logs", "actor.log"), "utf8")).toBe("started\n".repeat(3));
});

/** What a descriptor of this process leads to; the one that lists them is closed already. */
function target(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}
