import { readFileSync, writeFileSync } from "node:fs";
import { getPriority } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../shared/errors.ts";

const group = "/proc/self/autogroup";
/** For those without privileges Linux takes one such change in 100 ms, whoever makes it. */
const pauseMs = 100;
const tries = 50;

/**
 * Linux divides the CPU between sessions first and looks at niceness only within one (sched_autogroup, sched(7)). Roles lead
 * sessions of their own, so that `nice npm start` would yield to nobody: each gives its session the niceness that it has. Does
 * nothing in another's session, as a terminal's, and where the kernel has no such groups.
 */
export async function keepNiceness(): Promise<void> {
  const nice = getPriority();
  if (nice === 0 || process.platform !== "linux" || !leadsItsSession()) return;
  for (let left = tries; ; left--) {
    try {
      return writeFileSync(group, String(nice));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return;
      if (code !== "EAGAIN" || left === 0) {
        process.stderr.write(`anchorage: niceness ${nice} counts less than it could: ${messageOf(error)}\n`);
        return;
      }
    }
    await sleep(pauseMs * (1 + Math.random()));
  }
}

function leadsItsSession(): boolean {
  const line = readFileSync("/proc/self/stat", "utf8");
  // The name, field 2, may hold spaces and brackets; the session is field 6.
  const session = line.slice(line.lastIndexOf(")") + 2).split(" ")[3];
  return Number(session) === process.pid;
}
