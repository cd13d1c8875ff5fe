import { expect, it } from "vitest";
import { between, chaosRandom } from "../chaos/chaosReport.ts";
import { pacedCartPole } from "../chaos/configs.ts";
import { startFleet, trainFleet, undisturbed } from "../chaos/fleets.ts";
import { checkLeases } from "../chaos/pausedFleet.ts";
import { outcomeDifferences } from "../chaos/runRecord.ts";

const config = pacedCartPole(60);

// The short selection of test/chaos: `npm run test:chaos` tries each kind of fault, at random moments, again and again.

it("three actors, of whom one is killed, a killed learner and a killed coordinator: the same weights as one actor", async () => {
  const random = chaosRandom("system faults");
  const fleet = await startFleet({ config, actors: 3, stepMs: 2 });
  for (const [from, victim] of [
    [2, "actor-1"],
    [10, "coordinator"], // training goes on while it starts: early, so that the run is not over by then
    [25, "learner"],
  ] as const) {
    await fleet.update(between(random, from, from + 6));
    await fleet.restart(victim);
    await fleet.recovered(`${victim.replace(/-\d+$/, "")} SIGKILL`);
  }
  await checkLeases(fleet);
  expect(outcomeDifferences(await undisturbed(config), await fleet.finished())).toEqual([]);
}, 600_000);

it("train killed with all that it started, then --resume: the same weights", async () => {
  const random = chaosRandom("system train");
  const fleet = trainFleet({ config, stepMs: 1 });
  fleet.start();
  await fleet.update(between(random, 2, 20));
  await fleet.killAll();
  fleet.start("resume");
  await fleet.recovered("train SIGKILL, all processes");
  await checkLeases(fleet);
  expect(outcomeDifferences(await undisturbed(config), await fleet.finished())).toEqual([]);
}, 600_000);
