import { describe, expect, it } from "vitest";
import { between, chaosRandom } from "./chaosReport.ts";
import { pacedCartPole, tinyCartPole, tinyMujoco, tinyPong } from "./configs.ts";
import { changingFleet, sharedRun, undisturbed } from "./fleets.ts";
import { outcomeDifferences } from "./runRecord.ts";

describe("the same weights, statistics, returns and counters from any fleet", () => {
  it.each([
    { config: tinyMujoco, actors: 3 },
    { config: { ...tinyMujoco, policyLag: 1 }, actors: 2 },
    { config: { ...tinyCartPole, policyLag: 1 }, actors: 5 },
    { config: { ...tinyMujoco, algo: "gano", groupSize: 2, referenceEvery: 3 }, actors: 3 },
    { config: tinyPong, actors: 2 },
    { config: { ...tinyPong, policyLag: 1 }, actors: 3 },
  ])("$config.env, policy lag $config.policyLag: $actors actors as one", async ({ config, actors }) => {
    const outcome = await sharedRun(config, actors);
    expect(outcomeDifferences(await undisturbed(config), outcome)).toEqual([]);
  });

  it.each([0, 1] as const)("policy lag %i: actors join and leave, one of them is slow", async (policyLag) => {
    const config = { ...pacedCartPole(150), policyLag };
    const outcome = await changingFleet(config, chaosRandom(`changing fleet ${policyLag}`), 1);
    expect(outcomeDifferences(await undisturbed(config), outcome)).toEqual([]);
  });

  it("an actor with two workers and leases of two at a time", async () => {
    const outcome = await sharedRun(tinyMujoco, between(chaosRandom("workers"), 1, 2), 2);
    expect(outcomeDifferences(await undisturbed(tinyMujoco), outcome)).toEqual([]);
  });
});
