import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { runLearner } from "../../learner/main.ts";
import { DeployConfig } from "../../shared/deployConfig.ts";
import { Lifecycle } from "../../shared/lifecycle.ts";
import { logger } from "../../shared/log.ts";
import { RunningSystem } from "./runningLearner.ts";
import { smallRun } from "./syntheticRollout.ts";

const rounds = 8;

it("told to stop while the coordinator is away, it names what is not recorded, and the next learner makes it again", async () => {
  const undisturbed = await RunningSystem.start(smallRun(3, rounds, 0));
  const alone = undisturbed.learner();
  await undisturbed.actor(alone, { capacity: 3 });
  expect(await alone.exit).toBe(0);

  const system = await RunningSystem.start(smallRun(3, rounds, 0));
  const first = system.learner({ deploy: { drainSeconds: 0.3 } });
  let gone: Promise<unknown> | null = null;
  await system.actor(first, {
    capacity: 3,
    onLease: (self, lease) => {
      if (lease.round === 2) gone ??= system.updates(2).then(() => system.stopCoordinator());
      if (lease.round === 5) return first.lifecycle.stop({ kind: "signal", detail: "SIGTERM" });
      void (gone ?? Promise.resolve()).then(() => self.answer(lease));
    },
  });
  await expect(first.exit).rejects.toThrow(
    /\[BUSY\] The checkpoint after update 5 could not be stored within drainSeconds: updates 3 to 5 are not recorded; the coordinator took no report meanwhile.*Nothing is lost/,
  );

  await system.startCoordinatorAgain();
  const second = system.learner();
  await system.actor(second, { capacity: 3 });
  expect(await second.exit).toBe(0);
  expect(await system.finalWeights()).toBe(await undisturbed.finalWeights());
  const lines = readFileSync(join(system.runDir, "metrics.jsonl"), "utf8").trim().split("\n");
  expect(lines.map((line) => JSON.parse(line).update)).toEqual(Array.from({ length: rounds }, (_, i) => i + 1));
});

it("started without a coordinator, it says so after coordinatorWaitSeconds and ends", async () => {
  const deploy = DeployConfig.parse({ coordinator: "127.0.0.1:9", coordinatorWaitSeconds: 0.3 });
  await expect(runLearner(deploy, { lifecycle: new Lifecycle(logger("test")) })).rejects.toThrow(
    /\[NETWORK\] No coordinator answered at 127\.0\.0\.1:9 within coordinatorWaitSeconds=0\.3 .*UNAVAILABLE.*If its run has ended/,
  );
});
