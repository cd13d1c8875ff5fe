import { afterAll, afterEach, expect, it } from "vitest";
import { temporaryFolder } from "../system/command.ts";
import { between, chaosRandom, choose, faultTable } from "./chaosReport.ts";
import { tinyCartPole, tinyMujoco, tinyPong } from "./configs.ts";
import { Fleet } from "./fleet.ts";
import type { FleetOptions } from "./fleetLaunch.ts";
import { outcomeDifferences } from "./runRecord.ts";

const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
afterAll(() => console.log(faultTable()));

async function startFleet(config: FleetOptions["config"], actors: number): Promise<Fleet> {
  const folder = temporaryFolder();
  const fleet = await Fleet.start({ folder: folder.path, config, actors });
  cleanUps.push(async () => {
    await fleet.dispose();
    folder.remove();
  });
  return fleet;
}

it.each([tinyMujoco, tinyCartPole, tinyPong])(
  "$env: one actor, and two with a process killed on the way, end with the same weights, statistics and returns",
  async (config) => {
    const undisturbed = await (await startFleet(config, 1)).finished();
    const fleet = await startFleet(config, 2);
    const random = chaosRandom(config.env);
    await fleet.update(between(random, 0, 6));
    const victim = choose(random, ["learner", "actor-1", "coordinator", "nats"] as const);
    await fleet.restart(victim);
    await fleet.recovered(`${victim.replace(/-\d+$/, "")} SIGKILL`);
    expect(outcomeDifferences(undisturbed, await fleet.finished())).toEqual([]);
  },
);
