import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { temporaryFolder } from "../system/command.ts";
import { between, chaosRandom, recordFault } from "./chaosReport.ts";
import { pacedCartPole } from "./configs.ts";
import { FakeClock, noFakeClock } from "./fakeClock.ts";
import type { ProcessName } from "./fleetLaunch.ts";
import { startFleet, undisturbed } from "./fleets.ts";
import { outcomeDifferences } from "./runRecord.ts";
import { named } from "./skipReason.ts";

const missing = noFakeClock();
const config = pacedCartPole(40);
const day = 86_400;

it.skipIf(missing !== null)(
  named("clocks jump a day ahead and back, each its own way, and nothing expires", missing),
  async () => {
    const folder = temporaryFolder();
    onTestFinished(folder.remove);
    // actor-2 and NATS, a Go program that libfaketime does not reach, keep the real time
    const names: readonly ProcessName[] = ["coordinator", "learner", "actor-1"];
    const clocks = new Map(names.map((name) => [name, new FakeClock(join(folder.path, `clock-${name}`))]));
    const fleet = await startFleet({
      config,
      actors: 2,
      deploy: { leaseSeconds: 30 }, // no lease runs out because this machine is busy
      stepMs: 5,
      env: (name) => ({ ...clocks.get(name)?.env }),
    });
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
    expect((await fleet.metrics("actor-1")).anchorage_actor_learner_reconnects_total).toBe(0);
    const outcome = await fleet.finished(250_000);
    expect([outcome.circumstances.leasesExpired, outcome.circumstances.generations]).toEqual([0, 1]);
    expect(outcomeDifferences(await undisturbed(config), outcome)).toEqual([]);
  },
);
