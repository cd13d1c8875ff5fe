import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { between, chaosRandom, choose } from "../chaos/chaosReport.ts";
import { pacedCartPole, tinyCartPole, tinyMujoco, tinyPong } from "../chaos/configs.ts";
import { changingFleet, sharedRun, startFleet, undisturbed } from "../chaos/fleets.ts";
import { checkLeases } from "../chaos/pausedFleet.ts";
import { outcomeDifferences } from "../chaos/runRecord.ts";

const halfCheetah = { ...tinyMujoco, env: "HalfCheetah-v4", seed: 5, policyLag: 0 } as const;

/** Both lags of each kind of environment. */
const runs = [tinyMujoco, halfCheetah, tinyCartPole, tinyPong].flatMap((config) =>
  ([0, 1] as const).map((policyLag) => ({ config: { ...config, policyLag } })),
);

describe.each(runs)("$config.env at policy lag $config.policyLag", ({ config }) => {
  it.each([1, 2, 3, 5])("%i actors end with the weights of one", async (actors) => {
    const outcome = await sharedRun(config, actors);
    expect(outcomeDifferences(await undisturbed(config), outcome)).toEqual([]);
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

/** Long enough for actors to join one after the other; native environments have no pace, so they take more updates. */
const joinable = [
  { config: pacedCartPole(250), stepMs: 1 },
  { config: { ...halfCheetah, totalSteps: halfCheetah.envs * halfCheetah.rolloutSteps * 1_500 } },
  { config: { ...tinyPong, totalSteps: tinyPong.envs * tinyPong.rolloutSteps * 200 } },
];

describe.each(joinable)("$config.env: actors join and leave, one of them is slow", ({ config, stepMs }) => {
  it.each([0, 1] as const)("policy lag %i", async (policyLag) => {
    const run = { ...config, policyLag };
    const random = chaosRandom(`changing fleet ${config.env} ${policyLag}`);
    expect(outcomeDifferences(await undisturbed(run), await changingFleet(run, random, stepMs))).toEqual([]);
  });
});

it("the coordinator away for a minute: training goes on, reports and checkpoints arrive later", async () => {
  // 32 ms a rollout: over a thousand updates in the minute with two actors
  const config = pacedCartPole(1_500);
  const fleet = await startFleet({ config, actors: 2, stepMs: 2 });
  await fleet.update(20);
  const before = fleet.resources();
  const updates = async (): Promise<number> => (await fleet.metrics("learner")).anchorage_learner_updates!;
  await fleet.kill("coordinator");
  const atKill = await updates();
  await delay(60_000);
  expect(await updates()).toBeGreaterThan(atKill + 50);
  await fleet.launch("coordinator");
  await fleet.recovered("coordinator away for 60 s");
  await checkLeases(fleet);
  for (const name of ["learner", "actor-1", "actor-2"] as const) {
    const now = fleet.resources()[name]!;
    expect(now.openFiles).toBeLessThanOrEqual(before[name]!.openFiles + 8);
    expect(now.rssBytes).toBeLessThan(before[name]!.rssBytes + 150 * 2 ** 20);
  }
  expect(outcomeDifferences(await undisturbed(config), await fleet.finished(600_000))).toEqual([]);
});
