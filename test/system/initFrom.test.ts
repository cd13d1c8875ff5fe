import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { done, run, start, temporaryFolder } from "./command.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());
const inFolder = (name: string): string => join(folder.path, name);

const cartPole = ["train", "--json", "--env", "CartPole-v1"];
const short = ["--total-steps", "8192", "--set", "learningRate=0.0001"];

/** Mean return after each update, of the raw episodes so far. */
const returns = (runDir: string): number[] =>
  readFileSync(join(runDir, "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { mean_return: number }).mean_return);
const firstReturn = (runDir: string): number => returns(runDir).find((mean) => mean !== null)!;

const expert = inFolder("expert");
const policy = join(expert, "policy.onnx");

beforeAll(async () => {
  const trained = await run([...cartPole, "--total-steps", "51200", "--run-dir", expert]);
  expect(done(trained).meanReturn).toBeGreaterThan(100);
  expect(firstReturn(expert)).toBeLessThan(50); // an untrained policy reaches about 22
}, 180_000);

describe("--init-from", () => {
  it("begins with the policy of a run: its first episodes are good, whatever becomes of the source", {
    timeout: 180_000,
  }, async () => {
    const runDir = inFolder("tuned");
    const source = inFolder("source.onnx");
    const exported = await run(["export", "--run-dir", expert, "--output", source]);
    expect(exported.status, exported.stderr).toBe(0);
    const long = [...short, "--total-steps", "81920"]; // so that Ctrl-C comes before its end
    const tuning = start([...cartPole, ...long, "--init-from", source, "--seed", "2", "--run-dir", runDir]);
    await tuning.event(({ event, update }) => event === "update" && Number(update) >= 2);
    tuning.process.kill("SIGINT");
    expect((await tuning.finished).status).toBe(130);
    renameSync(source, inFolder("moved.onnx"));
    const finished = await run(["train", "--json", "--resume", "--run-dir", runDir]);
    expect(finished.status, finished.stderr.slice(-2000)).toBe(0);
    expect(firstReturn(runDir)).toBeGreaterThan(100);
    expect(done(finished).meanReturn).toBeGreaterThan(100);
    const { initFrom } = JSON.parse(readFileSync(join(runDir, "config.json"), "utf8"));
    expect(initFrom).toEqual({ file: source, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });

    const both = await run(["train", "--resume", "--run-dir", runDir, "--init-from", policy]);
    expect(both.status).toBeGreaterThan(0);
    expect(both.stderr).toMatch(/--init-from .*policy\.onnx with --resume: the run in .* goes on with its own weights/);
  });

  it("takes a checkpoint as well", { timeout: 120_000 }, async () => {
    const checkpoints = join(expert, "checkpoints");
    const newest = readdirSync(checkpoints)
      .filter((name) => name.endsWith(".ckpt"))
      .sort()
      .at(-1)!;
    const runDir = inFolder("from-checkpoint");
    const from = ["--init-from", join(checkpoints, newest), "--run-dir", runDir];
    expect((await run([...cartPole, ...short, ...from])).status).toBe(0);
    expect(firstReturn(runDir)).toBeGreaterThan(100);
  });

  it.each<[string, (name: string) => string, string[], RegExp]>([
    [
      "a missing file",
      () => inFolder("nothing.onnx"),
      [],
      /\[CONFIG\] initFrom: .*nothing\.onnx cannot be read: ENOENT/,
    ],
    ["a folder", () => expert, [], /initFrom: .*expert cannot be read: EISDIR.*policy\.onnx/],
    [
      "another kind of file",
      (name) => {
        writeFileSync(inFolder(name), "reward: 500\n");
        return inFolder(name);
      },
      [],
      /initFrom: .* cannot be used: it is no ONNX model .*Give a run's policy\.onnx/,
    ],
    [
      "another network",
      () => policy,
      ["--set", "network.hidden=[32]"],
      /initFrom: .*policy\.onnx does not fit this run: its actor\.0\.weight is \[4, 64\], expected \[4, 32\]\. Choose the network/,
    ],
    [
      "another environment",
      () => policy,
      ["--env", "InvertedDoublePendulum-v4", "--set", "network.hidden=[64,64]"],
      /does not fit this run: its observations\.mean is \[4\], expected \[\d+\]/,
    ],
  ])("%s is one clear error, and no run is made", async (name, file, flags, message) => {
    const runDir = inFolder(`refused ${name}`);
    mkdirSync(runDir);
    const { status, stderr } = await run([
      "train",
      "--env",
      "CartPole-v1",
      "--init-from",
      file(name),
      "--run-dir",
      runDir,
      ...flags,
    ]);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(status).toBe(2);
    expect(readdirSync(runDir)).toEqual([]);
  });
});
