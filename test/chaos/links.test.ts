import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { temporaryFolder } from "../system/command.ts";
import { chaosRandom, faultTable } from "./chaosReport.ts";
import { pacedBy, pacedCartPole, recovered, undisturbedRun } from "./pacedRun.ts";
import { ProxiedFleet, until } from "./proxiedFleet.ts";
import { outcomeDifferences, type RunOutcome } from "./runRecord.ts";
import { noToxiproxy, Toxiproxy } from "./toxiproxy.ts";

const missing = noToxiproxy();
const config = pacedCartPole(60);

let toxiproxy: Toxiproxy;
let undisturbed: RunOutcome;
const cleanUps: (() => void | Promise<void>)[] = [];

beforeAll(async () => {
  if (missing !== null) return;
  toxiproxy = await Toxiproxy.start();
  undisturbed = await undisturbedRun(config);
}, 300_000);
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
afterAll(async () => {
  await toxiproxy?.stop();
  console.log(faultTable());
});

async function startFleet(label: string): Promise<ProxiedFleet> {
  const folder = temporaryFolder();
  cleanUps.push(folder.remove);
  const proxied = await ProxiedFleet.start(toxiproxy, {
    folder: folder.path,
    config,
    actors: 2,
    env: pacedBy(5),
    label,
  });
  cleanUps.push(() => proxied.fleet.dispose());
  await proxied.fleet.update(3, 180_000);
  return proxied;
}

const title = (text: string): string => (missing === null ? text : `${text} (skipped: ${missing})`);

it.skipIf(missing !== null)(title("every link cut, late by 200 ms and at 1 MB/s, one after the other"), async () => {
  const { fleet, links } = await startFleet("links.test.ts");
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
      await recovered(fleet, `link to ${name} ${kind}`, 20_000);
    }
    await link.cut();
    await delay(3_000 + 2_000 * random());
    await link.mend();
    await recovered(fleet, `link to ${name} cut`, 20_000);
  }
  expect(outcomeDifferences(undisturbed, await fleet.finished(250_000))).toEqual([]);
});

it.skipIf(missing !== null)(title("every link swallows all at once: both ends notice and come back"), async () => {
  const { fleet, links } = await startFleet("links.test.ts");
  for (const link of Object.values(links)) await link.swallow();
  await fleet.kill("actor-2"); // no end of its connections reaches anybody
  // keepalive and NATS's pings notice within half a minute
  await until(
    "the learner gives its actors up",
    async () => (await fleet.metrics("learner")).anchorage_learner_actors === 0,
  );
  await until(
    "the learner gives NATS up",
    async () => (await fleet.metrics("learner")).anchorage_learner_nats_connected === 0,
  );
  for (const link of Object.values(links)) await link.heal();
  await recovered(fleet, "every link half-open", 30_000);
  expect(outcomeDifferences(undisturbed, await fleet.finished(250_000))).toEqual([]);
});
