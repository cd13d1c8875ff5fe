import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { run, temporaryFolder } from "./command.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const runDir = (name: string): string => join(folder.path, name);
const throwing = join(folder.path, "throwing.ts");
writeFileSync(
  throwing,
  `export default class Throwing {
    spec = { id: "Throwing", observation: { dtype: "float32", shape: [1], frameStack: null }, action: { kind: "discrete", count: 2 }, maxEpisodeSteps: 10, framesPerStep: 1 };
    steps = 0;
    reset(_random: unknown, observation: Float32Array) { observation[0] = 0; }
    step() { if (++this.steps > 3) throw new Error("the simulator broke"); return { reward: 1, terminated: false }; }
    save() { return new Uint8Array(1); }
    load() {}
  }`,
);

describe("bad input is one clear message and a non-zero exit", () => {
  it.each([
    ["an unknown environment", ["train", "--env", "HalfCheeta-v4"], /HalfCheeta-v4.*HalfCheetah-v4/s],
    ["Pusher-v4, which MuJoCo 3 cannot run", ["train", "--env", "Pusher-v4"], /Pusher-v5/],
    ["an unknown algorithm", ["train", "--algo", "sarsa"], /algo.*"sarsa"/],
    ["an unknown flag", ["train", "--sed", "1"], /--sed.*--se/s],
    ["a field of the wrong type", ["train", "--set", "gamma=high"], /gamma.*"high"/],
    ["a field out of range", ["train", "--set", "gamma=2"], /gamma.*2/],
    [
      "a network for frames where there are none",
      ["train", "--env", "CartPole-v1", "--set", "network.kind=nature"],
      /network\.kind=nature needs stacked uint8 frames, and CartPole-v1 .*network\.kind=mlp/,
    ],
    [
      "dense layers for frames",
      ["train", "--env", "Pong-v5", "--set", "network.kind=mlp"],
      /network\.kind=mlp does not fit Pong-v5.*network\.kind=nature/,
    ],
    [
      "batch sizes that do not divide",
      ["train", "--set", "envBatchSize=48"],
      /envBatchSize=48 does not divide envs=128/,
    ],
    ["a resume that names no run", ["train", "--resume"], /--run-dir/],
    ["a resume where there is nothing", ["train", "--resume", "--run-dir", runDir("nothing")], /no run to resume/],
    ["evaluating where there is no run", ["evaluate", "--run-dir", runDir("nothing")], /nothing/],
    [
      "an unknown environment option",
      ["train", "--env", "Pong-v5", "--set", "envOptions.frameskip=4"],
      /frameskip.*frameSkip/s,
    ],
  ])("%s", async (_name, args, message) => {
    const { status, stderr } = await run(args, { cwd: folder.path });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /); // a message for people, no stack
    expect(status).toBeGreaterThan(0);
  });

  it.each([
    [
      "a deploy file's value out of range",
      "actor",
      "actorWorkers: 0",
      /The deploy config is wrong: actorWorkers: .*>0 \(got 0\)/,
    ],
    [
      "an empty folder in place of a secret",
      "learner",
      `tls: ${folder.path}`,
      /tls=\S+: ca\.crt cannot be read: ENOENT/,
    ],
  ])("%s", async (_name, role, text, message) => {
    const file = join(folder.path, "deploy.yaml");
    writeFileSync(file, text);
    const { status, stderr } = await run([role, "--deploy", file]);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(status).toBeGreaterThan(0);
  });

  it("the certificate of another role", async () => {
    const certs = join(folder.path, "certs");
    expect((await run(["certificates", certs])).status).toBe(0);
    const { status, stderr } = await run(["learner", "--tls", join(certs, "actor")]);
    expect(stderr).toMatch(
      /\[CONFIG\] tls=\S+: tls\.crt is of role actor, and this process needs one of role learner\./,
    );
    expect(status).toBe(2);
  });

  it("a folder that holds something else is left as it is", async () => {
    mkdirSync(runDir("other"));
    writeFileSync(join(runDir("other"), "thesis.txt"), "years of work");
    const { status, stderr } = await run(["train", "--env", "CartPole-v1", "--run-dir", runDir("other")]);
    expect(status).toBeGreaterThan(0);
    expect(stderr).toMatch(/other is not empty and not a run \(it holds thesis\.txt\)/);
    expect(readdirSync(runDir("other"))).toEqual(["thesis.txt"]);
  });

  it.each([
    ["a file", runDir("a-file"), /a-file is a file/],
    ["below a file", join(runDir("a-file"), "run"), /a-file\/run cannot be/],
    ["where no folder can be made", "/proc/anchorage-run", /\/proc\/anchorage-run cannot be made/],
  ])("a run folder that is %s", async (_name, path, message) => {
    writeFileSync(runDir("a-file"), "years of work");
    const { status, stderr } = await run(["train", "--env", "CartPole-v1", "--run-dir", path]);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(status).toBe(1);
  });

  it("a TypeScript environment that throws ends the run with its words", async () => {
    const { status, stderr } = await run(["train", "--json", "--env", throwing, "--run-dir", runDir("throwing")]);
    expect(status).toBeGreaterThan(0);
    expect(stderr).toMatch(/the simulator broke/);
  }, 120_000);
});
