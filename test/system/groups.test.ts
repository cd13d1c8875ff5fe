import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { done, run, start, temporaryFolder } from "./command.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const settings = ["envs=32", "envBatchSize=8", "groupSize=4", "referenceEvery=3", "minibatches=2"];
const flags = ["--algo", "gano", "--total-steps", "24576", ...settings.flatMap((setting) => ["--set", setting])];

it("groups end with the same weights whatever the number of actors, and across a kill and resume", async () => {
  const train = (name: string): string[] => ["train", "--json", "--run-dir", join(folder.path, name)];
  const first = ["--env", "InvertedPendulum-v4", ...flags];
  const alone = done(await run([...train("alone"), ...first, "--actors", "1"]));
  const killed = start([...train("killed"), ...first, "--actors", "3"]);
  await killed.event(({ event, update }) => event === "update" && Number(update) >= 5);
  killed.process.kill("SIGKILL"); // its roles end when they notice
  expect((await killed.finished).status).toBe(null);
  const resumed = done(await run([...train("killed"), "--resume", "--actors", "2"]));
  expect(resumed).toEqual(alone);
}, 300_000);
