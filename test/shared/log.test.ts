import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { humanLine } from "../../shared/log.ts";
import { projectRoot } from "../../shared/nativeParts.ts";

const log = pathToFileURL(join(projectRoot, "dist", "shared", "log.js")).href; // needs npm run build

/** What a process of its own writes to stderr; its stdout must stay empty. */
function stderrOf(code: string, env: Record<string, string> = {}): string {
  const script = `import { logger } from ${JSON.stringify(log)}; const log = logger("learner.rounds"); ${code}`;
  const child = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    env: { ...process.env, ANCHORAGE_LOG: "", ...env },
  });
  expect(child.stdout).toBe("");
  return child.stderr;
}

it("writes JSON lines with level, time and component to stderr where no person looks", () => {
  const line = JSON.parse(stderrOf('log.warn({ update: 3 }, "slow");', { ANCHORAGE_LOG: "info" }));
  expect(line).toMatchObject({ level: "warn", component: "learner.rounds", update: 3, msg: "slow" });
  expect(Date.parse(line.time)).toBeGreaterThan(Date.parse("2020-01-01"));
});

it("loses nothing that was said before an immediate exit", () => {
  const lines = stderrOf('for (let i = 0; i < 500; i++) log.debug({ i }, "x"); process.exit(3);', {
    ANCHORAGE_LOG: "debug",
  });
  expect(lines.trimEnd().split("\n").length).toBe(500);
});

it("counts what repeats instead of writing it, and says the count at the latest when the process ends", () => {
  const said = stderrOf("for (let i = 0; i < 500; i++) log.warn({ i }, 'attempt ' + i + ' failed'); process.exit(3);", {
    ANCHORAGE_LOG: "info",
  });
  const lines = said.trimEnd().split("\n");
  expect(lines.length).toBe(11); // 10 of them, and the count of the others
  expect(JSON.parse(lines.at(-1)!)).toMatchObject({
    level: "warn",
    component: "learner.rounds",
    msg: "490 more lines like this one were held back: attempt 499 failed",
  });
});

it("obeys its level, and refuses one that it does not know", () => {
  expect(stderrOf('log.info("x");', { ANCHORAGE_LOG: "error" })).toBe("");
  expect(stderrOf("", { ANCHORAGE_LOG: "loud" })).toContain(
    "ANCHORAGE_LOG=loud is no log level. Set one of trace, debug",
  );
  expect(stderrOf("", { ANCHORAGE_LOG: "info", ANCHORAGE_LOG_FORMAT: "xml" })).toContain("ANCHORAGE_LOG_FORMAT=xml");
});

it("never writes a secret", () => {
  const said = stderrOf('log.info({ token: "abc123", nats: { password: "abc123" } }, "x");', { ANCHORAGE_LOG: "info" });
  expect(said).toContain("[redacted]");
  expect(said).not.toContain("abc123");
});

it("gives people one short line, an operator's error without its stack and a bug with it", () => {
  const record = { level: "info", time: "2026-11-21T03:04:05.678Z", component: "actor", msg: "drained", leases: 2 };
  expect(humanLine(JSON.stringify(record))).toBe("03:04:05 info  actor drained leases=2\n");
  const err = { message: "[STORAGE] full. Free space.", stack: "Error: at x.ts:1" };
  expect(humanLine(JSON.stringify({ ...record, err }))).toContain("\n  [STORAGE] full. Free space.\n");
  const bug = { message: "x is not a function", stack: "TypeError: at x.ts:1" };
  expect(humanLine(JSON.stringify({ ...record, err: bug }))).toContain("TypeError: at x.ts:1");
});

it("humans are served where the format says so", () => {
  const said = stderrOf('log.info("hello");', { ANCHORAGE_LOG: "info", ANCHORAGE_LOG_FORMAT: "human" });
  expect(said).toMatch(/^\d\d:\d\d:\d\d info {2}learner\.rounds hello\n$/);
});
