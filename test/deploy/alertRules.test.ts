import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { parse, stringify } from "yaml";
import { projectRoot } from "../../shared/nativeParts.ts";
import { named } from "../chaos/skipReason.ts";
import { temporaryFolder } from "../system/command.ts";

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}
interface Rules {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}

interface RuleTests {
  readonly tests: readonly {
    readonly alert_rule_test?: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[];
    readonly promql_expr_test?: readonly { readonly expr: string; readonly exp_samples: readonly unknown[] }[];
  }[];
}

const folder = join(projectRoot, "deploy", "observability");
const rules = parse(readFileSync(join(folder, "rules.yml"), "utf8")) as Rules;
const all = rules.groups.flatMap((group) => group.rules);
const alerts = all.filter(({ alert }) => alert !== undefined);
const recorded = all.filter(({ record }) => record !== undefined);

const missing =
  spawnSync("promtool", ["--version"]).error === undefined ? null : "promtool is missing: apt-get install prometheus";
const promtool = (...args: string[]) => spawnSync("promtool", args, { encoding: "utf8" });

it("every alert says what is wrong, how bad it is, and has a runbook in the docs", () => {
  const page = readFileSync(join(projectRoot, "docs", "observability.md"), "utf8");
  const sections = [...page.matchAll(/^### (\w+)$/gm)].map(([, title]) => title);
  expect(sections).toEqual(alerts.map(({ alert }) => alert)); // in the same order, and none without an alert
  for (const { alert, labels, annotations } of alerts) {
    expect(annotations, alert).toMatchObject({
      summary: expect.stringContaining("{{ $labels.run }}") as string,
      description: expect.any(String) as string,
      runbook_url: `docs/observability.md#${alert!.toLowerCase()}`,
    });
    expect(["warning", "critical"]).toContain(labels?.severity);
  }
});

it.skipIf(missing !== null)(
  named("promtool accepts the rules, and each fires and rests as its test says", missing),
  () => {
    expect(promtool("check", "rules", join(folder, "rules.yml"))).toMatchObject({ status: 0 });
    expect(promtool("test", "rules", join(folder, "rules.test.yml"))).toMatchObject({ status: 0 });
  },
);

it("each alert is tested where it fires and where it must not, each recorded series by its value", () => {
  const { tests } = parse(readFileSync(join(folder, "rules.test.yml"), "utf8")) as RuleTests;
  const cases = tests.flatMap((test) => test.alert_rule_test ?? []);
  for (const { alert } of alerts) {
    const expected = cases.filter(({ alertname }) => alertname === alert).map(({ exp_alerts }) => exp_alerts.length);
    expect(Math.max(...expected), `${alert} fires`).toBeGreaterThan(0);
    expect(expected, `${alert} rests`).toContain(0);
  }
  const values = tests
    .flatMap((test) => test.promql_expr_test ?? [])
    .filter(({ exp_samples }) => exp_samples.length > 0);
  for (const { record } of recorded)
    expect(values.filter(({ expr }) => expr.includes(record!)).length, record).toBeGreaterThan(0);
});

it.skipIf(missing !== null)(named("promtool's tests fail where an alert never fires", missing), () => {
  const copy = temporaryFolder();
  onTestFinished(copy.remove);
  cpSync(join(folder, "rules.test.yml"), join(copy.path, "rules.test.yml"));
  const never = (rule: Rule): Rule => (rule.alert === "AnchorageNoUpdates" ? { ...rule, expr: "vector(1) > 2" } : rule);
  const groups = rules.groups.map((group) => ({ ...group, rules: group.rules.map(never) }));
  writeFileSync(join(copy.path, "rules.yml"), stringify({ groups }));
  const { status, stderr } = promtool("test", "rules", join(copy.path, "rules.test.yml"));
  expect(status).toBe(1);
  expect(stderr).toContain("alertname: AnchorageNoUpdates, time: 16m");
});

it.skipIf(missing !== null)(named("the scrape config of fixed ports is one", missing), () => {
  execFileSync("promtool", ["check", "config", join(projectRoot, "deploy", "prometheus.yml")]);
});
