import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { faultTable } from "../chaos/chaosReport.ts";
import { pacedBy, pacedCartPole, recovered, undisturbedRun } from "../chaos/pacedRun.ts";
import { type Links, ProxiedFleet } from "../chaos/proxiedFleet.ts";
import { outcomeDifferences, type RunOutcome } from "../chaos/runRecord.ts";
import { noToxiproxy, Toxiproxy } from "../chaos/toxiproxy.ts";
import { temporaryFolder } from "../system/command.ts";

const missing = noToxiproxy();
const faultMs = Number(process.env.ANCHORAGE_CUT_SECONDS ?? 30) * 1000;
/** Policies of 6 MB in 9 pieces, as large as Atari's: what a slow link is slow with. */
const config = { ...pacedCartPole(150), network: { kind: "mlp", hidden: [850, 850] }, epochs: 1 };

let toxiproxy: Toxiproxy;
let undisturbed: RunOutcome;
const cleanUps: (() => void | Promise<void>)[] = [];

beforeAll(async () => {
  if (missing !== null) return;
  toxiproxy = await Toxiproxy.start();
  undisturbed = await undisturbedRun(config);
}, 900_000);
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
afterAll(async () => {
  await toxiproxy?.stop();
  console.log(faultTable());
});

it.skipIf(missing !== null).each(["learner", "nats", "coordinator"] as const satisfies readonly (keyof Links)[])(
  `the link to the %s: cut, half-open, 200 ms late and at 1 MB/s ${missing ?? ""}`,
  async (name) => {
    const folder = temporaryFolder();
    cleanUps.push(folder.remove);
    const options = { folder: folder.path, config, actors: 2, env: pacedBy(10), label: "links.test.ts" };
    const { fleet, links } = await ProxiedFleet.start(toxiproxy, { ...options, deploy: { leaseSeconds: 10 } });
    cleanUps.push(() => fleet.dispose());
    await fleet.update(3, 120_000);
    const link = links[name];
    const before = fleet.resources();
    for (const [kind, strike, repair] of [
      ["cut", () => link.cut(), () => link.mend()],
      ["half-open", () => link.swallow(), () => link.heal()],
      ["200 ms late", () => link.delay(200), () => link.heal()],
      ["at 1 MB/s", () => link.slow(1_000), () => link.heal()],
    ] as const) {
      await strike();
      const { update } = fleet.records().at(-1)!;
      const held = delay(faultMs);
      // a link that carries, however slowly, must not stop the training
      if (kind === "200 ms late" || kind === "at 1 MB/s") await fleet.update(update + 2, 120_000);
      await held;
      await repair();
      await recovered(fleet, `link to ${name} ${kind}`);
    }
    const after = fleet.resources();
    for (const [process, { rssBytes }] of Object.entries(before))
      expect(after[process]!.rssBytes - rssBytes, `${process} grew`).toBeLessThan(256 * 1024 * 1024);
    expect(outcomeDifferences(undisturbed, await fleet.finished(900_000))).toEqual([]);
  },
);
