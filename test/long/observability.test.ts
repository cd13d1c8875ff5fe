import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { named } from "../chaos/skipReason.ts";
import { committedDashboards } from "../deploy/dashboards.ts";
import { type Running, start, temporaryFolder } from "../system/command.ts";

const missing = ["prometheus", "promtool"].every((name) => spawnSync(name, ["--version"]).error === undefined)
  ? null
  : "prometheus is missing: apt-get install prometheus";

/** Has every quantity that the dashboards show: an exact KL beside the approximate one. */
const training = "--env CartPole-v1 --algo ppo-kl-adaptive --total-steps 1000000000 --actors 2 --json";
const patienceMs = 150_000;

/** Of our series, and of Node's. */
const knownLabels = new Set(
  "run role le state code env algo seed policy_lag member_role outcome reason part result stage type space version major minor patch kind".split(
    " ",
  ),
);

interface RulesAnswer {
  readonly data: { readonly groups: readonly { readonly rules: readonly { readonly health: string }[] }[] };
}

const panels = committedDashboards().flatMap(({ uid, panels: all }) =>
  all
    .filter(({ type }) => type !== "row")
    .flatMap(({ title, targets }) =>
      targets!.map(({ expr, legendFormat }) => [`${uid}: ${title}: ${legendFormat}`, expr] as const),
    ),
);

describe.skipIf(missing !== null)(named("a live run, and anchorage observe beside it", missing), () => {
  const folder = temporaryFolder();
  const runDir = join(folder.path, "run");
  let train: Running;
  let observe: Running;
  let prometheus: string;
  let run: string;
  const pages = new Map<string, string>(); // by role, of a run that has done a few updates

  beforeAll(async () => {
    train = start(["train", ...training.split(" "), "--run-dir", runDir]);
    await train.event(({ event }) => event === "update");
    run = (JSON.parse(readFileSync(join(runDir, "run.json"), "utf8")) as { runId: string }).runId;
    observe = start(["observe", "--run-dir", runDir, "--port", "0", "--json"]);
    const targets = await observe.event(({ event }) => event === "targets");
    for (const role of ["coordinator", "learner", "actor"])
      pages.set(role, await (await fetch(`http://${(targets[role] as string[])[0]}/metrics`)).text());
    prometheus = String((await observe.event(({ event }) => event === "serving")).url);
  }, patienceMs);
  afterAll(async () => {
    for (const process of [observe, train]) process?.process.kill("SIGTERM");
    await Promise.all([observe?.finished, train?.finished]);
    folder.remove();
  }, 60_000);

  /** The values of a query as a panel asks it, for this run. */
  async function values(expr: string): Promise<number[]> {
    const query = expr
      .replaceAll("$__rate_interval", "1m")
      .replaceAll("$run", run)
      .replaceAll("$role", "coordinator|learner|actor");
    const answer = await fetch(`${prometheus}/api/v1/query?${new URLSearchParams({ query })}`);
    const { data, error } = (await answer.json()) as {
      data?: { result: { value: [number, string] }[] };
      error?: string;
    };
    expect(error, query).toBeUndefined();
    return data!.result.map(({ value: [, value] }) => Number(value)).filter((value) => !Number.isNaN(value));
  }

  it("scrapes every process, and Prometheus finds no fault with the rules", async () => {
    await vi.waitFor(async () => expect(await values("sum(up)")).toEqual([4]), { timeout: patienceMs, interval: 500 });
    const { data } = (await (await fetch(`${prometheus}/api/v1/rules`)).json()) as RulesAnswer;
    const rules = data.groups.flatMap(({ rules }) => rules);
    expect(rules.length).toBeGreaterThan(15);
    expect(rules.filter(({ health }) => health === "err")).toEqual([]);
  });

  it.each(["coordinator", "learner", "actor"])("%s: promtool finds no fault with names, units and help", (role) => {
    const { status, stderr, stdout } = spawnSync("promtool", ["check", "metrics"], { input: pages.get(role)! });
    const problems = `${stdout}${stderr}`
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("nodejs_active_"));
    expect(problems).toEqual([]); // prom-client's own gauges nodejs_active_*_total are named as they have always been
    expect([0, 3]).toContain(status);
  });

  it.each(["coordinator", "learner", "actor"])("%s: labels are few and take their values from fixed lists", (role) => {
    const series = pages
      .get(role)!
      .split("\n")
      .filter((line) => /^[^#]/.test(line));
    expect(series.length).toBeLessThan(400);
    const values = new Map<string, Set<string>>();
    for (const [, label, value] of series.join("\n").matchAll(/(\w+)="([^"]*)"/g))
      values.set(label!, (values.get(label!) ?? new Set()).add(value!));
    expect([...values.keys()].filter((label) => !knownLabels.has(label))).toEqual([]);
    expect([...values.get("run")!]).toEqual([run]);
    expect([...values.get("role")!]).toEqual([role]);
    // the id of a member, a host or an address in a label would make series without end
    for (const [label, set] of values)
      if (!["run", "env", "version", "le"].includes(label))
        for (const value of set) expect(value, label).toMatch(/^[a-z_]+$|^\d{1,2}$|^ppo-kl-adaptive$|^[A-Z][A-Za-z]+$/);
  });

  it("finds actors that come later, and tells when they come and go again and again", async () => {
    const { address } = JSON.parse(readFileSync(join(runDir, "endpoint.json"), "utf8")) as { address: string };
    const credentials = join(runDir, "secrets", "nats-token");
    const more = [1, 2, 3].map(() =>
      start(["actor", "--workers", "1", "--coordinator", address, "--nats-credentials", credentials]),
    );
    await observe.event(({ event, actor }) => event === "targets" && (actor as string[]).length === 5);
    await vi.waitFor(async () => expect(await values("sum(up)")).toEqual([7]), {
      timeout: patienceMs,
      interval: 500,
    });
    for (const { process } of more) process.kill("SIGTERM");
    await Promise.all(more.map(({ finished }) => finished));
    const alert = await observe.event(({ event, name }) => event === "alert" && name === "AnchorageActorCrashLoop");
    expect(alert).toMatchObject({
      state: "firing",
      summary: `Actors of ${run} come and go`,
      runbook: "docs/observability.md#anchorageactorcrashloop",
    });
    await observe.event(({ event, actor }) => event === "targets" && (actor as string[]).length === 2);
  }, 300_000);

  it.each(panels)(
    "%s has data",
    async (_, expr) => {
      await vi.waitFor(async () => expect((await values(expr)).length).toBeGreaterThan(0), {
        timeout: patienceMs,
        interval: 500,
      });
    },
    patienceMs,
  );
});
