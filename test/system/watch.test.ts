import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it, vi } from "vitest";
import { run, start, temporaryFolder } from "./command.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

it("anchorage watch --run-dir plays a run that trains, takes up its newer policies, and leaves it alone", async () => {
  const runDir = join(folder.path, "run");
  const deploy = join(folder.path, "deploy.yaml");
  writeFileSync(deploy, "checkpointEvery: 2\n");
  const endless = ["--env", "CartPole-v1", "--total-steps", "10000000", "--deploy", deploy];
  const training = start(["train", "--json", ...endless, "--run-dir", runDir]);
  await training.event(({ event }) => event === "update");
  await vi.waitFor(() => expect(existsSync(join(runDir, "policy.onnx"))).toBe(true), 60_000);

  const watching = start(["watch", "--run-dir", runDir, "--json", "--fast", "--size", "96x64"]);
  const { version: first } = await watching.event(({ event }) => event === "policy");
  expect(first).toBeGreaterThan(0);
  const newer = await watching.event(({ event, version }) => event === "policy" && Number(version) > Number(first));
  const played = await watching.event(
    ({ event, policyVersion }) => event === "frame" && policyVersion === newer.version,
  );
  expect(played).toMatchObject({ imageType: "image/jpeg", width: 96, height: 64, probabilities: expect.any(Array) });
  watching.process.kill("SIGTERM");
  const { status, events, stderr } = await watching.finished;
  expect([status, stderr]).toEqual([0, ""]);
  expect(events[0]).toMatchObject({ event: "watching", env: "CartPole-v1" });

  training.process.kill("SIGINT"); // it was not disturbed: it stops as any run does, with its newest policy stored
  expect((await training.finished).status).toBe(130);
  const last = (await training.finished).events.findLast(({ event }) => event === "update")!.update;
  const afterwards = await run(["watch", "--run-dir", runDir, "--episodes", "2", "--fast"]);
  expect(afterwards.stdout).toMatch(
    new RegExp(`^(episode [12]: return (\\d+)\\.00, \\2 agent steps, policy ${last}\n){2}$`),
  );
}, 180_000);
