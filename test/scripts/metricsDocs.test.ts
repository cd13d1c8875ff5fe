import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { runActor } from "../../actor/main.ts";
import { DeployConfig } from "../../shared/deployConfig.ts";
import { Lifecycle } from "../../shared/lifecycle.ts";
import { logger } from "../../shared/log.ts";
import { projectRoot } from "../../shared/nativeParts.ts";
import { RunningSystem } from "../learner/runningLearner.ts";
import { smallRun } from "../learner/syntheticRollout.ts";
import { metricsPage } from "../system/scrape.ts";

const roles = ["coordinator", "learner", "actor"] as const;

/** Names in the first column of docs/metrics.md's tables, made whole; what metrics.jsonl holds is no metric. */
function documented(): Set<string> {
  const names = new Set<string>();
  let section = "";
  let part = "";
  for (const line of readFileSync(join(projectRoot, "docs", "metrics.md"), "utf8").split("\n")) {
    if (line.startsWith("## ")) section = line.slice(3).toLowerCase();
    if (line.startsWith("##")) part = line.replace(/^#+ /, "");
    const cell = /^\| (`.*?) *\|/.exec(line)?.[1];
    if (cell === undefined || part === "metrics.jsonl") continue;
    for (const [, name] of cell.matchAll(/`([a-z0-9_]+)(?:\{[^`]*\})?`/g)) {
      const whole = /^(anchorage|process|nodejs)_/.test(name!);
      const prefixes = section === "every process" ? roles : [section];
      if (whole) names.add(name!);
      else for (const role of prefixes) names.add(`anchorage_${role}_${name!.replace(/^_/, "")}`);
    }
  }
  return names;
}

/** What a real coordinator, learner and actor serve. */
async function served(): Promise<Set<string>> {
  const system = await RunningSystem.start(smallRun(2, 8, 0));
  const learner = system.learner();
  await learner.address;
  const { address: coordinator, client } = system.coordinator;
  const deploy = DeployConfig.parse({ coordinator, nats: system.nats.address, actorWorkers: 1, heartbeatSeconds: 0.1 });
  const lifecycle = new Lifecycle(logger("test"));
  const exit = runActor(deploy, lifecycle);
  onTestFinished(async () => {
    lifecycle.stop({ kind: "asked", detail: "end of test" });
    await exit.catch(() => undefined);
  });
  const actorPort = await system.until(async () => {
    const { members } = await client.control("STATUS");
    const json = members.find(({ role }) => role === "ACTOR")?.status_json;
    return json ? (JSON.parse(json) as { metricsPort: number }).metricsPort : null;
  });
  const ports = [system.coordinator.metricsPort, await learner.metricsPort, actorPort];
  const pages = await Promise.all(ports.map((port) => metricsPage(port)));
  return new Set(pages.flatMap((page) => [...page.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name!)));
}

it("docs/metrics.md lists every metric that the three processes serve, and no other", async () => {
  const [written, real] = [documented(), await served()];
  expect(real.size).toBeGreaterThan(100);
  expect([...real].filter((name) => !written.has(name)).sort()).toEqual([]);
  expect([...written].filter((name) => !real.has(name)).sort()).toEqual([]);
});
