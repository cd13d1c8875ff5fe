import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { pacedCartPole } from "../chaos/configs.ts";
import { undisturbed } from "../chaos/fleets.ts";
import { type Links, ProxiedFleet } from "../chaos/proxiedFleet.ts";
import { outcomeDifferences } from "../chaos/runRecord.ts";
import { named } from "../chaos/skipReason.ts";
import { noToxiproxy, Toxiproxy } from "../chaos/toxiproxy.ts";

const missing = noToxiproxy();
const faultMs = Number(process.env.ANCHORAGE_CUT_SECONDS ?? 30) * 1000;
/** Policies of 6 MB in 9 pieces, as large as Atari's: what a slow link is slow with. */
const config = { ...pacedCartPole(150), network: { kind: "mlp", hidden: [850, 850] }, epochs: 1 };

let toxiproxy: Toxiproxy | undefined;
beforeAll(async () => {
  if (missing === null) toxiproxy = await Toxiproxy.start();
}, 900_000);
afterAll(() => toxiproxy?.stop());

it.skipIf(missing !== null).each(["learner", "nats", "coordinator"] as const satisfies readonly (keyof Links)[])(
  named("the link to the %s: cut, half-open, 200 ms late and at 1 MB/s", missing),
  async (name) => {
    const options = { config, actors: 2, stepMs: 10, deploy: { leaseSeconds: 10 } };
    const { fleet, links } = await ProxiedFleet.start(toxiproxy!, options);
    await fleet.update(3, 600_000);
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
      if (kind === "200 ms late" || kind === "at 1 MB/s") await fleet.update(update + 2, 240_000);
      await held;
      await repair();
      await fleet.recovered(`link to ${name} ${kind}`, { timeoutMs: 60_000 });
    }
    const after = fleet.resources();
    for (const [process, { rssBytes }] of Object.entries(before))
      expect(after[process]!.rssBytes - rssBytes, `${process} grew`).toBeLessThan(256 * 1024 * 1024);
    expect(outcomeDifferences(await undisturbed(config), await fleet.finished(900_000))).toEqual([]);
  },
);
