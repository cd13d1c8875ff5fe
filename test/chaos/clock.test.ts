import { join } from "node:path";
import { afterAll, afterEach, expect, it } from "vitest";
import { temporaryFolder } from "../system/command.ts";
import { between, chaosRandom, faultTable, recordFault } from "./chaosReport.ts";
import { FakeClock, noFakeClock } from "./fakeClock.ts";
import { Fleet } from "./fleet.ts";
import type { ProcessName } from "./fleetLaunch.ts";
import { pacedBy, pacedCartPole, undisturbedRun } from "./pacedRun.ts";
import { outcomeDifferences } from "./runRecord.ts";

const missing = noFakeClock();
const config = pacedCartPole(40);
const day = 86_400;

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
afterAll(() => console.log(faultTable()));

it.skipIf(missing !== null)(`clocks jump a day ahead and back, and nothing expires ${missing ?? ""}`, async () => {
  const undisturbed = await undisturbedRun(config);
  const folder = temporaryFolder();
  cleanUps.push(folder.remove);
  const names: readonly ProcessName[] = ["coordinator", "learner", "actor-1"];
  const clocks = new Map(names.map((name) => [name, new FakeClock(join(folder.path, `clock-${name}`))]));
  const fleet = await Fleet.start({
    folder: folder.path,
    config,
    actors: 2,
    deploy: { leaseSeconds: 30 }, // no lease runs out because this machine is busy
    env: (name) => ({ ...pacedBy(5)(), ...clocks.get(name)?.env }),
    label: "clock.test.ts",
  });
  cleanUps.push(() => fleet.dispose());
  const random = chaosRandom("clock");
  for (const seconds of [day, -day, 0]) {
    const { update } = await fleet.update(1 + (fleet.records().at(-1)?.update ?? 0), 150_000);
    const since = performance.now();
    for (const clock of clocks.values()) clock.set(seconds === 0 ? 0 : seconds + between(random, 0, 3_600)); // each its own
    await fleet.update(update + 4, 150_000); // all of a round was leased, collected, sent and reported after the jump
    recordFault({
      kind: "clock moved",
      test: "clock.test.ts",
      update,
      recoverySeconds: (performance.now() - since) / 1000,
    });
  }
  const times = fleet.records().map(({ time }) => Date.parse(time) - Date.now());
  expect(Math.max(...times)).toBeGreaterThan((day - 600) * 1000); // the clocks did move
  expect(Math.min(...times)).toBeLessThan((-day + 2 * 3_600) * 1000);
  const expired = Object.entries(await fleet.metrics("coordinator")).filter(([name]) =>
    name.startsWith("anchorage_coordinator_members_expired_total"),
  );
  expect(expired.filter(([, count]) => count > 0)).toEqual([]);
  expect((await fleet.metrics("actor-1")).anchorage_actor_reconnects_total ?? 0).toBe(0);
  const outcome = await fleet.finished(250_000);
  expect([outcome.circumstances.leasesExpired, outcome.circumstances.generations]).toEqual([0, 1]);
  expect(outcomeDifferences(undisturbed, outcome)).toEqual([]);
});
