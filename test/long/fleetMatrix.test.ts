import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { between, chaosRandom, choose } from "../chaos/chaosReport.ts";
import { pacedCartPole, tinyCartPole, tinyMujoco, tinyPong } from "../chaos/configs.ts";
import { changingFleet, startFleet, undisturbed } from "../chaos/fleets.ts";
import { outcomeDifferences } from "../chaos/runRecord.ts";

const halfCheetah = { ...tinyMujoco, env: "HalfCheetah-v4", seed: 5, policyLag: 0 } as const;
const paced = { ...pacedCartPole, policyLag: 0 } as const;

/** Both lags of each kind of environment. */
const runs = [tinyMujoco, halfCheetah, tinyCartPole, tinyPong].flatMap((config) =>
  ([0, 1] as const).map((policyLag) => ({ config: { ...config, policyLag } })),
);

describe.each(runs)("$config.env at policy lag $config.policyLag", ({ config }) => {
  it.each([1, 2, 3, 5])("%i actors end with the weights of one", async (actors) => {
    const fleet = await startFleet({ config, actors });
    expect(outcomeDifferences(await undisturbed(config), await fleet.finished())).toEqual([]);
  });

  it("ten processes killed at random moments", async () => {
    const longer = { ...config, totalSteps: config.totalSteps * 5 };
    const random = chaosRandom(`matrix ${config.env} ${config.policyLag}`);
    const fleet = await startFleet({ config: longer, actors: 3 });
    const rounds = longer.totalSteps / (config.envs * config.rolloutSteps);
    for (let n = 0; n < 10; n++) {
      await fleet.update(Math.floor((rounds * (n + random())) / 12), 300_000);
      await delay(between(random, 0, 300));
      const victim = choose(random, ["nats", "coordinator", "learner", choose(random, fleet.actors)] as const);
      await fleet.restart(victim);
      await fleet.recovered(`${victim.replace(/-\d+$/, "")} SIGKILL`);
    }
    expect(outcomeDifferences(await undisturbed(longer), await fleet.finished(600_000))).toEqual([]);
  });
});

it.each([0, 1] as const)("actors join and leave, policy lag %i, three times", async (policyLag) => {
  const config = { ...paced, policyLag };
  for (let n = 0; n < 3; n++) {
    const outcome = await changingFleet(config, chaosRandom(`changing fleet ${policyLag} ${n}`));
    expect(outcomeDifferences(await undisturbed(config), outcome)).toEqual([]);
  }
});

it("the coordinator away for a minute: training goes on, reports and checkpoints arrive later", async () => {
  // 32 ms a rollout: over a thousand updates in the minute with two actors
  const config = { ...paced, envOptions: { ms: 2 }, totalSteps: 8 * 16 * 1_500 };
  const fleet = await startFleet({ config, actors: 2 });
  await fleet.update(20);
  const before = fleet.resources();
  const updates = async (): Promise<number> => (await fleet.metrics("learner")).anchorage_learner_updates!;
  await fleet.kill("coordinator");
  const atKill = await updates();
  await delay(60_000);
  expect(await updates()).toBeGreaterThan(atKill + 50);
  await fleet.launch("coordinator");
  await fleet.recovered("coordinator away for 60 s");
  await fleet.checkLeases();
  for (const name of ["learner", "actor-1", "actor-2"] as const) {
    const now = fleet.resources()[name]!;
    expect(now.openFiles).toBeLessThanOrEqual(before[name]!.openFiles + 8);
    expect(now.rssBytes).toBeLessThan(before[name]!.rssBytes + 150 * 2 ** 20);
  }
  expect(outcomeDifferences(await undisturbed(config), await fleet.finished(600_000))).toEqual([]);
});
