import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Registry } from "prom-client";
import { expect, it } from "vitest";
import { actorMetrics } from "../../actor/metrics.ts";
import { learnerMetrics } from "../../learner/metrics.ts";
import { projectRoot } from "../../shared/nativeParts.ts";
import { startCoordinator, temporaryFolder } from "../coordinator/runningCoordinator.ts";
import { metricsPage } from "../system/scrape.ts";
import { committedDashboards } from "./dashboards.ts";

/** What the processes serve: the coordinator by its page, the others by what they declare. */
async function served(): Promise<Set<string>> {
  const registry = new Registry();
  learnerMetrics(registry);
  actorMetrics(registry);
  const { metricsPort } = await startCoordinator({ runDir: await temporaryFolder() });
  const page = await metricsPage(metricsPort); // with Node's own, which all of them serve
  const names = [...page.matchAll(/^# HELP (\w+)/gm)].map(([, name]) => name!);
  return new Set([...names, ...registry.getMetricsAsArray().map(({ name }) => name)]);
}

const rules = readFileSync(join(projectRoot, "deploy", "observability", "rules.yml"), "utf8");
const recorded = new Set([...rules.matchAll(/record: (\S+)/g)].map(([, name]) => name!));

/** Names of series in PromQL that this project or Node makes. */
function used(promql: string): string[] {
  const names = promql.match(/run:\w+:\w+|\b(?:anchorage|process|nodejs)_\w+/g) ?? [];
  return [...new Set(names)];
}

it("rules and dashboards ask for series that exist", async () => {
  const names = await served();
  const exists = (name: string): boolean =>
    recorded.has(name) || names.has(name) || names.has(name.replace(/_(bucket|count|sum)$/, ""));
  const dashboards = committedDashboards().flatMap(({ panels }) => panels.flatMap(({ targets = [] }) => targets));
  const queries = dashboards.map(({ expr }) => expr).join("\n");
  expect(used(queries).length).toBeGreaterThan(50);
  expect(used(queries).filter((name) => !exists(name))).toEqual([]);
  const conditions = rules.replaceAll(/^\s*- record: .*$/gm, "");
  expect(used(conditions).length).toBeGreaterThan(20);
  expect(used(conditions).filter((name) => !exists(name))).toEqual([]);
});
