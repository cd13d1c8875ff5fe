import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { done, run, start, temporaryFolder } from "./command.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

it("a run with an objective of one's own goes on with the same file, and is refused with a changed one", async () => {
  const page = readFileSync(new URL("../../docs/objectives.md", import.meta.url), "utf8");
  const source = /```ts\n([\s\S]*?)```/.exec(page)![1]!;
  const algo = join(folder.path, "truncated.ts");
  writeFileSync(algo, source);
  const train = ["train", "--json", "--run-dir", join(folder.path, "run")];
  const first = start([...train, "--env", "CartPole-v1", "--algo", algo, "--total-steps", "61440"]);
  await first.event(({ event, update }) => event === "update" && Number(update) >= 2);
  first.process.kill("SIGINT");
  const stopped = await first.finished;
  expect(stopped.status, stopped.stderr.slice(-2000)).toBe(130);

  writeFileSync(algo, source.replace("?? 2", "?? 3"));
  const refused = await run([...train, "--resume"]);
  expect(refused.status).not.toBe(0);
  expect(refused.stdout + refused.stderr).toMatch(
    /\[MISMATCH\].*\(checkpoint against here\): learner objective: sha256 [0-9a-f]{64} against sha256 [0-9a-f]{64}\./,
  );

  writeFileSync(algo, source);
  expect(done(await run([...train, "--resume"])).agentSteps).toBe(61_440);
}, 300_000);
