import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { projectRoot } from "../shared/nativeParts.ts";
import { type ProcessUse, processTree } from "./processTree.ts";

export interface Measured {
  readonly agentSteps: number;
  readonly wallSeconds: number;
  readonly cpuSeconds: number; // all processes together
}

export interface OursMeasured extends Measured {
  readonly cpuByRole: Readonly<Record<string, number>>;
  readonly peakBytesByRole: Readonly<Record<string, number>>;
}

/**
 * Trains with the shipped command line, all processes real, and measures from the end of the first update to the end of
 * the last one, as the peers' scripts do: neither starting nor the first, slower update is counted. `leaveOutLast`: to the
 * end of the one before, since with a policy lag nothing is collected beside the last.
 */
export async function trainOurs(
  flags: readonly string[],
  learnerThreads: number,
  { leaveOutLast = false } = {},
): Promise<OursMeasured> {
  const folder = mkdtempSync(join(tmpdir(), "anchorage-bench-"));
  const args = [join(projectRoot, "dist/cli/main.js"), "train", "--json", "--run-dir", join(folder, "run"), ...flags];
  const env = { ...process.env, ANCHORAGE_LEARNER_THREADS: String(learnerThreads) };
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"], env });
  let first: Reading | null = null;
  let last: Reading | null = null;
  let before: Reading | null = null;
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as { event: string; agentSteps?: number };
    if (event.event !== "update") continue;
    before = last;
    last = { at: performance.now(), steps: event.agentSteps ?? 0, tree: processTree(child.pid!) };
    first ??= last;
  }
  if (child.exitCode === null) await once(child, "exit");
  rmSync(folder, { recursive: true, force: true });
  if (leaveOutLast) last = before;
  if (child.exitCode !== 0 || first === null || last === null || last === first)
    throw new Error(`train ${flags.join(" ")} ended with status ${child.exitCode} and too few updates to measure`);
  return difference(first, last);
}

interface Reading {
  readonly at: number; // ms
  readonly steps: number;
  readonly tree: readonly ProcessUse[];
}

function difference(first: Reading, last: Reading): OursMeasured {
  const before = new Map(first.tree.map((use) => [use.pid, use.cpuSeconds]));
  const cpuByRole: Record<string, number> = {};
  const peakBytesByRole: Record<string, number> = {};
  for (const use of last.tree) {
    const role = roleOf(use.command);
    cpuByRole[role] = (cpuByRole[role] ?? 0) + use.cpuSeconds - (before.get(use.pid) ?? 0);
    peakBytesByRole[role] = Math.max(peakBytesByRole[role] ?? 0, use.peakResidentBytes);
  }
  return {
    agentSteps: last.steps - first.steps,
    wallSeconds: (last.at - first.at) / 1000,
    cpuSeconds: Object.values(cpuByRole).reduce((a, b) => a + b, 0),
    cpuByRole,
    peakBytesByRole,
  };
}

function roleOf(command: string): string {
  if (command.includes("nats-server")) return "nats";
  return /main\.js (\w+)/.exec(command)?.[1] ?? "other";
}
