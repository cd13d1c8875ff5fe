import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeEnvBatch } from "../../actor/environments.ts";
import { tinyPolicy } from "../actor/tinyPolicy.ts";
import { run, start } from "../system/command.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "anchorage-watch-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function policyOf(env: string, file: string, seed = 3): Promise<string> {
  const batch = await makeEnvBatch({ env, envOptions: {}, size: 1 });
  batch.close();
  const path = join(folder, file);
  writeFileSync(`${path}.new`, tinyPolicy(batch.spec, 0, { seed }).bytes);
  renameSync(`${path}.new`, path);
  return path;
}

const of = (events: readonly Record<string, unknown>[], kind: string) => events.filter(({ event }) => event === kind);

describe("anchorage watch --json", () => {
  it("tells what is played, then frames with what the policy said, then the episode", async () => {
    const policy = await policyOf("CartPole-v1", "cart.onnx");
    const flags = ["--env", "CartPole-v1", "--episodes", "2", "--fast", "--fps", "50", "--size", "96x64", "--json"];
    const { events, status, stderr } = await run(["watch", "--policy", policy, ...flags]);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(events[0]).toMatchObject({ event: "watching", env: "CartPole-v1", actionNames: ["left", "right"] });
    expect(events[0]).toMatchObject({ secondsPerStep: 0.02, stepsPerFrame: 1, secondsPerFrame: 0.02 });
    expect(events[1]).toEqual({ event: "policy", version: null });
    const episodes = of(events, "episode");
    expect(episodes.map(({ episode }) => episode)).toEqual([0, 1]);
    const frames = of(events, "frame");
    expect(frames).toHaveLength(episodes.reduce((sum, { length }) => sum + (length as number), 0));
    for (const [i, frame] of frames.slice(0, 5).entries()) {
      const [left, right] = frame.probabilities as [number, number];
      expect(left + right).toBeCloseTo(1, 5);
      expect(frame.action).toBe(left >= right ? 0 : 1); // the most likely one
      expect(frame).toMatchObject({
        episode: 0,
        step: i,
        reward: 1,
        return: i + 1,
        ended: null,
        width: 96,
        height: 64,
      });
    }
    expect(frames.at(-1)).toMatchObject({ ended: "terminated", return: episodes[1]!.return });
    const image = await sharp(Buffer.from(frames[0]!.image as string, "base64")).metadata();
    expect(image).toMatchObject({ format: "jpeg", width: 96, height: 64 });
  }, 60_000);

  it("shows an Atari game's own colours and buttons", async () => {
    const policy = await policyOf("Pong-v5", "pong.onnx");
    const watching = start(["watch", "--policy", policy, "--env", "Pong-v5", "--fast", "--json"]);
    const frame = await watching.event(({ event, step }) => event === "frame" && step === 20);
    watching.process.kill("SIGTERM");
    const { events, status } = await watching.finished;
    expect(status).toBe(0);
    expect(events[0]).toMatchObject({ actionNames: ["NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE"] });
    expect(frame).toMatchObject({ width: 160, height: 210, pixelated: true, imageType: "image/png" });
    const png = sharp(Buffer.from(frame.image as string, "base64"));
    const { data } = await png.raw().toBuffer({ resolveWithObject: true });
    const at = (x: number, y: number) => [...data.subarray((y * 160 + x) * 3, (y * 160 + x) * 3 + 3)];
    expect(at(80, 60)).toEqual([144, 72, 17]); // the field, as ale-py's getScreenRGB gives it
    expect(at(80, 28)).toEqual([236, 236, 236]); // the upper wall
  }, 60_000);

  it("takes up a newer policy in the middle of an episode, and ends when nobody reads any more", async () => {
    const policy = await policyOf("Pong-v5", "newer.onnx");
    const watching = start(["watch", "--policy", policy, "--env", "Pong-v5", "--fast", "--json"]);
    await watching.event(({ event }) => event === "frame");
    await policyOf("Pong-v5", "newer.onnx", 4);
    const policies = new Set<unknown>();
    await watching.event((event) => event.event === "policy" && policies.add(event) && policies.size === 2);
    watching.process.stdout!.destroy();
    const [status] = await once(watching.process, "exit");
    expect(status).toBe(0);
  }, 60_000);
});

describe("bad input of anchorage watch", () => {
  it.each([
    [["watch", "--json"], 2, /Which policy\?.*--run-dir FOLDER or --policy FILE/],
    [["watch", "--policy", "nowhere.onnx"], 1, /nowhere.onnx cannot be read.*anchorage export/],
    [["watch", "--run-dir", "nowhere"], 1, /nowhere.config.json cannot be read.*Is nowhere a run folder/],
    [["watch", "--policy", "package.json"], 1, /package.json is not an ONNX file/],
    [["watch", "--policy", "x", "--size", "9x9"], 1, /WIDTHxHEIGHT in pixels/],
  ])("%j", async (args, status, message) => {
    const finished = await run(args);
    expect(finished.stderr).toMatch(message);
    expect(finished.status).toBe(status);
    expect(finished.stdout).toBe("");
  });

  it("an environment that draws no pictures is named before anything is played", async () => {
    const env = "test/actor/fixtures/drawingEnvironment.ts";
    const finished = await run(["watch", "--policy", await policyOf(env, "plain.onnx"), "--env", env, "--json"]);
    expect(finished.stderr).toMatch(/drawingEnvironment.ts draws no pictures.*render\(size\)/);
    expect([finished.status, finished.stdout]).toEqual([1, ""]);
  });
});
