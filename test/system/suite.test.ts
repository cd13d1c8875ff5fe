import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { run, start, temporaryFolder } from "./command.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const file = join(folder.path, "tiny.yaml");
const suiteDir = join(folder.path, "runs", "tiny"); // the default, below the working folder
const tiny = (gamma: number): string => `
environments: [CartPole-v1]
algorithms:
  ano: { ano 0.3: { epsPos: 0.3, epsNeg: 0.3 } }
  ppo: { ppo 0.2: { clip: 0.2 } }
seeds: [1, 2]
settings: { totalSteps: 32768, gamma: ${gamma} }
`;
const [first, second, third, fourth] = [
  "CartPole-v1-ano-0.3-s1",
  "CartPole-v1-ppo-0.2-s1",
  "CartPole-v1-ano-0.3-s2",
  "CartPole-v1-ppo-0.2-s2",
] as const;
const suite = (...flags: string[]): string[] => ["suite", file, ...flags];
const here = { cwd: folder.path };
const report = () => run(["report", "--json"], here); // of runs/, into report/
const states = (): Record<string, string> => {
  const { runs } = JSON.parse(readFileSync(join(suiteDir, "suite.json"), "utf8")) as {
    runs: { id: string; state: string }[];
  };
  return Object.fromEntries(runs.map(({ id, state }) => [id, state]));
};

it("a suite is interrupted and gone on with; a run that fails stops no other, and is run again by the same command", async () => {
  writeFileSync(file, tiny(0.99));
  const interrupted = start(suite("--json"), here);
  await interrupted.event(({ event }) => event === "run_update");
  interrupted.process.kill("SIGINT");
  const stopped = await interrupted.finished;
  expect(stopped.status, stopped.stderr.slice(-2000)).toBe(130);
  expect(stopped.events.at(-1)).toMatchObject({ event: "stopped", runs: 4, finished: 0, failed: [], left: 4 });
  expect(states()).toEqual({ [first]: "stopped", [second]: "pending", [third]: "pending", [fourth]: "pending" });

  mkdirSync(join(suiteDir, fourth));
  writeFileSync(join(suiteDir, fourth, "thesis.txt"), "years of work"); // no run can be there
  const partly = await run(suite("--json", "--jobs", "2"), here);
  expect(partly.status, partly.stderr.slice(-2000)).toBe(1);
  const of = (id: string, event: string) => partly.events.filter((one) => one.id === id && one.event === event);
  expect(of(first, "run_started")).toEqual([{ event: "run_started", id: first, resumed: true }]);
  expect(of(first, "run_update")[0]!.update).toBeGreaterThan(1); // it went on from its checkpoint
  expect(of(third, "run_finished")[0]).toMatchObject({ agentSteps: 32768, weightsSha256: expect.any(String) });
  const reason = expect.stringMatching(/is not empty and not a run \(it holds thesis\.txt\)/);
  expect(partly.events.at(-1)).toMatchObject({
    event: "failed",
    finished: 3,
    failed: [{ id: fourth, reason }],
    left: 0,
  });
  expect(states()).toEqual({ [first]: "finished", [second]: "finished", [third]: "finished", [fourth]: "failed" });

  const incomplete = await report();
  expect(incomplete.events).toMatchObject([
    { runs: 3, excluded: [{ what: "tiny: CartPole-v1, ppo 0.2, seed 2", reason: expect.stringMatching(/thesis/) }] },
  ]);
  expect(incomplete.stderr).toMatch(/not counted: tiny: CartPole-v1, ppo 0\.2, seed 2: failed: .*thesis\.txt/);

  rmSync(join(suiteDir, fourth), { recursive: true });
  const rest = await run(suite(), here);
  expect(rest.status, rest.stderr).toBe(0);
  expect(rest.stderr).toMatch(/4 runs, 3 of them finished/);
  expect(rest.stderr).toMatch(new RegExp(`Running ${fourth}\n(.*\n)*Finished ${fourth}: mean return`));
  expect(rest.stderr).not.toContain(first);
  expect(rest.stderr).toMatch(/4 of 4 runs are finished\.\n$/);

  const whole = await report();
  expect(whole.events).toMatchObject([{ event: "reported", runs: 4, excluded: [] }]);
  const scores = readFileSync(join(folder.path, "report", "scores.csv"), "utf8")
    .trim()
    .split("\r\n");
  expect(scores.slice(1).map((row) => row.split(",").slice(0, 3))).toEqual([
    ["CartPole-v1", "ano 0.3", "2"],
    ["CartPole-v1", "ppo 0.2", "2"],
  ]);
  expect(readFileSync(join(folder.path, "report", "index.html"), "utf8")).toContain("ano 0.3");

  const listed = await run(suite("--dry-run", "--json"), here);
  expect(listed.events.map(({ id, state, estimatedSeconds }) => [id, state, estimatedSeconds])).toEqual(
    [first, second, third, fourth].map((id) => [id, "finished", 0]),
  );

  writeFileSync(file, tiny(0.9));
  const before = readFileSync(join(suiteDir, "suite.json"), "utf8");
  const changed = await run(suite(), here);
  expect(changed.status).toBe(1);
  expect(changed.stderr).toMatch(
    /^anchorage: \[MISMATCH\] .*gamma: 0\.99 against 0\.9 \(4 runs\).*another --suite-dir/,
  );
  expect(readFileSync(join(suiteDir, "suite.json"), "utf8")).toBe(before);
}, 600_000);

it("a dry run measures how fast this machine is, says so, and leaves nothing behind", async () => {
  writeFileSync(file, tiny(0.99).replace("[1, 2]", "[1]").replace("  ppo: { ppo 0.2: { clip: 0.2 } }\n", ""));
  const before = readdirSync(folder.path);
  const { status, stdout, stderr } = await run(suite("--dry-run", "--suite-dir", join(folder.path, "new")), here);
  expect(status, stderr).toBe(0);
  expect(stdout).toMatch(
    /^CartPole-v1-ano-0\.3-s1 +new +33k steps +\d+m\d+s at [\d.k]+ steps\/s\n1 runs, 1 of them left/,
  );
  expect(stdout).toMatch(/Rates: measured now\./);
  expect(readdirSync(folder.path)).toEqual(before);
}, 300_000);

it("a dry run that is stopped while it measures estimates nothing, and blames no run", async () => {
  writeFileSync(file, tiny(0.99));
  const measuring = start(suite("--dry-run", "--json", "--suite-dir", join(folder.path, "new")), here);
  await once(measuring.process.stderr!, "data"); // "Measuring ..."
  measuring.process.kill("SIGINT");
  const { status, stdout, stderr } = await measuring.finished;
  expect([status, stdout]).toEqual([130, ""]);
  expect(stderr).toMatch(
    /^Measuring CartPole-v1 with ano 0\.3 \(1 of 2\)\n.*Stopped while measuring: nothing is estimated\.\n$/s,
  );
}, 60_000);

it("a typo is one message before anything is started", async () => {
  writeFileSync(file, tiny(0.99).replace("CartPole-v1", "CartPol-v1"));
  const { status, stderr } = await run(suite("--suite-dir", join(folder.path, "new")), here);
  expect(status).toBe(2);
  expect(stderr).toMatch(/CartPol-v1-ano-0\.3-s1: There is no environment CartPol-v1\. Did you mean "CartPole-v1"/);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(existsSync(join(folder.path, "new"))).toBe(false);
}, 60_000);
