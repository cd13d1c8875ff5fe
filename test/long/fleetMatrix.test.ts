import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { between, chaosRandom } from "../chaos/chaosReport.ts";
import { pacedCartPole, tinyCartPole, tinyMujoco, tinyPong } from "../chaos/configs.ts";
import { changingFleet, sharedRun, startFleet, undisturbed } from "../chaos/fleets.ts";
import { checkLeases } from "../chaos/pausedFleet.ts";
import { outcomeDifferences } from "../chaos/runRecord.ts";

/** With a limit, so that episodes end in so short a run. */
const halfCheetah = {
  ...tinyMujoco,
  env: "HalfCheetah-v4",
  envOptions: { maxEpisodeSteps: 100 },
  seed: 5,
  policyLag: 0,
} as const;

/** Of each of these at both lags. */
const atBothLags = <Run extends object>(runs: readonly Run[]) =>
  runs.flatMap((run) => ([0, 1] as const).map((policyLag) => ({ ...run, policyLag })));

describe.each(atBothLags([tinyMujoco, halfCheetah, tinyCartPole, tinyPong]))(
  "$env at policy lag $policyLag",
  (config) => {
    // what they are compared with is a run of one actor
    it.each([1, 2, 3, 5])("%i actors end with the weights of one", async (actors) => {
      const outcome = await sharedRun(config, actors);
      expect(outcomeDifferences(await undisturbed(config), outcome)).toEqual([]);
    });
  },
);

const lengthened = <Config extends typeof tinyMujoco | typeof halfCheetah | typeof tinyPong>(
  config: Config,
  updates: number,
) => ({ ...config, totalSteps: config.envs * config.rolloutSteps * updates });

/**
 * Long enough for actors to join one after the other, and for a coordinator to start while it trains. Only the
 * TypeScript environment has a pace, so the others take more updates.
 */
const longRuns = atBothLags([
  { ...lengthened(tinyMujoco, 400) },
  { ...lengthened(halfCheetah, 300) },
  { ...pacedCartPole(300) },
  { ...lengthened(tinyPong, 100) },
]);

/** Every kind of process; training goes on without a coordinator, so two of those are as many as the runs are long for. */
const victims = ["nats", "nats", "coordinator", "coordinator", "learner", "learner", "learner", 1, 2, 3] as const;

describe.each(longRuns)("$env at policy lag $policyLag, $totalSteps steps", (config) => {
  it("ten processes killed one after the other at random moments", async () => {
    const random = chaosRandom(`matrix ${config.env} ${config.policyLag}`);
    const fleet = await startFleet({ config, actors: 3, stepMs: 1 });
    const left: (typeof victims)[number][] = [...victims];
    while (left.length > 0) {
      const [victim] = left.splice(between(random, 0, left.length - 1), 1);
      const name = typeof victim === "number" ? (`actor-${victim}` as const) : victim!;
      await fleet.update((fleet.records().at(-1)?.update ?? 0) + between(random, 1, 8), 300_000);
      await delay(between(random, 0, 300));
      await fleet.restart(name);
      await fleet.recovered(`${name.replace(/-\d+$/, "")} SIGKILL`);
    }
    await checkLeases(fleet);
    expect(outcomeDifferences(await undisturbed(config), await fleet.finished(900_000))).toEqual([]);
  });

  it("actors join and leave, one of them is slow", async () => {
    const random = chaosRandom(`changing fleet ${config.env} ${config.policyLag}`);
    const outcome = await changingFleet(config, random, 1);
    expect(outcomeDifferences(await undisturbed(config), outcome)).toEqual([]);
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
