import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { done, run, start, temporaryFolder } from "./command.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const train = (env: string, ...flags: string[]): string[] => {
  return ["train", "--json", "--env", env, "--run-dir", join(folder.path, "run"), ...flags];
};

describe("anchorage train, with all of its processes", () => {
  it("learns InvertedPendulum-v4 on real MuJoCo to a mean return over 900", async () => {
    const flags = ["--algo", "ppo", "--set", "clip=0.3", "--total-steps", "204800", "--set", "minibatches=8"];
    const finished = await run(train("InvertedPendulum-v4", ...flags));
    expect(finished.status, finished.stderr.slice(-2000)).toBe(0);
    expect(done(finished).meanReturn).toBeGreaterThan(900);
    const evaluated = await run(["evaluate", "--run-dir", join(folder.path, "run"), "--episodes", "10", "--json"]);
    expect(JSON.parse(evaluated.stdout)).toMatchObject({ episodes: 10, max: 1000 });
  }, 300_000);

  it("learns CartPole-v1, the TypeScript environment, with ANO to a mean return over 475", async () => {
    const finished = await run(train("CartPole-v1"));
    expect(finished.status, finished.stderr.slice(-2000)).toBe(0);
    expect(done(finished).meanReturn).toBeGreaterThan(475);
  }, 300_000);

  it("trains Pong-v5 on real ALE and leaves a complete run folder", async () => {
    const finished = await run(train("Pong-v5", "--total-steps", "6144", "--set", "epochs=1"));
    expect(finished.status, finished.stderr.slice(-2000)).toBe(0);
    expect(done(finished)).toMatchObject({
      updates: 3,
      agentSteps: 6144,
      weightsSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const inRun = (name: string): string => join(folder.path, "run", name);
    const records = readFileSync(inRun("metrics.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(records.map(({ update }) => update)).toEqual([1, 2, 3]);
    // The policy that acted is the one that learns: the first minibatch's ratios are 1.
    for (const { ratio_start_error: error } of records) expect(error).toBeLessThan(1e-4);
    for (const name of ["config.json", "policy.onnx", "checkpoints", "tensorboard"])
      expect(existsSync(inRun(name)), name).toBe(true);
  }, 300_000);

  it("ends with the same weights whatever the number of actors, and across a stop and resume", async () => {
    const flags = ["--total-steps", "32768", "--set", "envs=64", "--set", "envBatchSize=16"];
    const alone = done(await run(train("HalfCheetah-v4", ...flags, "--actors", "1")));
    const other = temporaryFolder();
    const interrupted = ["train", "--json", "--run-dir", join(other.path, "run")];
    const stopped = start([...interrupted, "--env", "HalfCheetah-v4", ...flags, "--actors", "3"]);
    await stopped.event(({ event, update }) => event === "update" && Number(update) >= 2);
    stopped.process.kill("SIGINT");
    const first = await stopped.finished;
    expect(first.status, first.stderr.slice(-2000)).toBe(130);
    expect(first.events.at(-1)).toMatchObject({ event: "stopped" });
    const resumed = done(await run([...interrupted, "--resume", "--actors", "2"]));
    expect(resumed).toEqual(alone);
    other.remove();
  }, 300_000);
});
