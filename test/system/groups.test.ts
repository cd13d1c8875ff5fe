import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { done, run, start, temporaryFolder } from "./command.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const settings = ["envs=32", "envBatchSize=8", "groupSize=4", "referenceEvery=3", "minibatches=2"];

it.each([
  ["gano", 0],
  ["grpo", 1],
])(
  "%s at policy lag %i ends with the same weights whatever the number of actors, and across a kill and resume",
  {
    timeout: 300_000,
  },
  async (algo, lag) => {
    const train = (name: string): string[] => ["train", "--json", "--run-dir", join(folder.path, name)];
    const flags = ["--algo", algo, "--policy-lag", String(lag), "--total-steps", "12288"];
    const first = ["--env", "InvertedPendulum-v4", ...flags, ...settings.flatMap((setting) => ["--set", setting])];
    const alone = done(await run([...train("alone"), ...first, "--actors", "1"]));
    const killed = start([...train("killed"), ...first, "--actors", "3"]);
    await killed.event(({ event, update }) => event === "update" && Number(update) >= 4);
    killed.process.kill("SIGKILL"); // its roles end when they notice
    expect((await killed.finished).status).toBe(null);
    const resumed = done(await run([...train("killed"), "--resume", "--actors", "2"]));
    expect(resumed).toEqual(alone);
  },
);
