import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { start, temporaryFolder } from "./command.ts";

const group = "/proc/self/autogroup";
const why = existsSync(group) ? "" : " (skipped: this kernel has no sched_autogroup)";

it.skipIf(why !== "")(
  `a training that was made nice yields with all of its processes, and nobody else does${why}`,
  async () => {
    const folder = temporaryFolder();
    const runDir = join(folder.path, "run");
    const before = readFileSync(group, "utf8");
    const training = start([
      "train",
      "--json",
      "--env",
      "CartPole-v1",
      "--total-steps",
      "50000000",
      "--run-dir",
      runDir,
    ]);
    onTestFinished(async () => {
      training.process.kill("SIGTERM");
      await training.finished;
      folder.remove();
    });
    setPriority(training.process.pid!, 7); // as `nice -n 7` does, before it starts a role
    await training.event(({ event }) => event === "update");
    const roles = childrenOf(training.process.pid!).filter(({ command }) =>
      /\0(coordinator|learner|actor)\0/.test(command),
    );
    expect(roles.length).toBe(3);
    await expect
      .poll(() => roles.map(({ pid }) => niceOf(`/proc/${pid}/autogroup`)), { timeout: 10_000 })
      .toEqual([7, 7, 7]);
    expect(readFileSync(group, "utf8")).toBe(before); // train's session is ours
  },
  120_000,
);

const niceOf = (file: string): number => Number(/nice (-?\d+)/.exec(readFileSync(file, "utf8"))![1]);

function childrenOf(pid: number): { pid: number; command: string }[] {
  return readdirSync(`/proc/${pid}/task`)
    .flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").trim().split(" "))
    .filter(Boolean)
    .map((child) => ({ pid: Number(child), command: readFileSync(`/proc/${child}/cmdline`, "utf8") }));
}
