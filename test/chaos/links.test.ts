import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { chaosRandom } from "./chaosReport.ts";
import { pacedCartPole } from "./configs.ts";
import { undisturbed } from "./fleets.ts";
import { ProxiedFleet } from "./proxiedFleet.ts";
import { outcomeDifferences } from "./runRecord.ts";
import { named } from "./skipReason.ts";
import { noToxiproxy, Toxiproxy } from "./toxiproxy.ts";
import { until } from "./until.ts";

const missing = noToxiproxy();
const config = pacedCartPole(60);

let toxiproxy: Toxiproxy | undefined;
beforeAll(async () => {
  if (missing === null) toxiproxy = await Toxiproxy.start();
}, 300_000);
afterAll(() => toxiproxy?.stop());

async function startProxied(): Promise<ProxiedFleet> {
  const proxied = await ProxiedFleet.start(toxiproxy!, { config, actors: 2, stepMs: 5 });
  await proxied.fleet.update(3, 180_000);
  return proxied;
}

it.skipIf(missing !== null)(
  named("every link cut, late by 200 ms and at 1 MB/s, one after the other", missing),
  async () => {
    const { fleet, links } = await startProxied();
    const random = chaosRandom("links");
    for (const name of ["learner", "nats", "coordinator"] as const) {
      const link = links[name];
      for (const [kind, disturb] of [
        ["200 ms late", () => link.delay(200)],
        ["at 1 MB/s", () => link.slow(1_000)],
      ] as const) {
        await disturb();
        const { update } = fleet.records().at(-1)!;
        await fleet.update(update + 2);
        await link.heal();
        await fleet.recovered(`link to ${name} ${kind}`, { timeoutMs: 20_000 });
      }
      await link.cut();
      await delay(3_000 + 2_000 * random());
      await link.mend();
      await fleet.recovered(`link to ${name} cut`, { timeoutMs: 20_000 });
    }
    expect(outcomeDifferences(await undisturbed(config), await fleet.finished(250_000))).toEqual([]);
  },
);

it.skipIf(missing !== null)(
  named("every link swallows all at once: both ends notice and come back", missing),
  async () => {
    const { fleet, links } = await startProxied();
    for (const link of Object.values(links)) await link.swallow();
    await fleet.kill("actor-2"); // no end of its connections reaches anybody
    const noticedMs = 35_000; // keepalive and NATS's pings notice within half a minute
    await until(
      "the learner gives its actors up",
      async () => (await fleet.metrics("learner")).anchorage_learner_actors === 0,
      noticedMs,
    );
    await until(
      "the learner gives NATS up",
      async () => (await fleet.metrics("learner")).anchorage_learner_nats_connected === 0,
      noticedMs,
    );
    for (const link of Object.values(links)) await link.heal();
    await fleet.recovered("every link half-open", { timeoutMs: 30_000 });
    expect(outcomeDifferences(await undisturbed(config), await fleet.finished(250_000))).toEqual([]);
  },
);
