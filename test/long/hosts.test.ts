import { setTimeout as delay } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { pacedCartPole } from "../chaos/configs.ts";
import type { Fleet } from "../chaos/fleet.ts";
import type { ProcessName } from "../chaos/fleetLaunch.ts";
import { startFleet, undisturbed } from "../chaos/fleets.ts";
import { NetworkHosts, noNetworkHosts } from "../chaos/networkHosts.ts";
import { outcomeDifferences } from "../chaos/runRecord.ts";
import { named } from "../chaos/skipReason.ts";
import { until } from "../chaos/until.ts";

const missing = noNetworkHosts();
const config = pacedCartPole(200);
const cutMs = Number(process.env.ANCHORAGE_CUT_SECONDS ?? 30) * 1000;

/** Coordinator and NATS on one host, the learner on a second, an actor on each of two more. */
async function startOn(hosts: NetworkHosts): Promise<Fleet> {
  const host = (name: ProcessName): string => (name === "nats" || name === "coordinator" ? "control" : name);
  const fleet = await startFleet({
    config,
    actors: 2,
    stepMs: 10,
    deploy: { leaseSeconds: 5, insecure: true },
    addresses: {
      natsListen: `${hosts.address("control")}:4222`,
      coordinatorListen: `${hosts.address("control")}:7400`,
      learnerListen: `${hosts.address("learner")}:7401`,
    },
    wrap: (name) => hosts.on(host(name)),
  });
  await fleet.update(3, 600_000);
  return fleet;
}

it.skipIf(missing !== null)(named(`a run on four hosts outlives each cut of ${cutMs / 1000} s`, missing), async () => {
  const hosts = NetworkHosts.make(["control", "learner", "actor-1", "actor-2"]);
  onTestFinished(() => hosts.remove());
  const fleet = await startOn(hosts);
  for (const host of hosts.names) {
    hosts.cut(host);
    await delay(cutMs);
    hosts.mend(host);
    await fleet.recovered(`host of ${host.replace(/-\d+$/, "")} cut off`, { timeoutMs: 60_000 });
  }
  for (const [a, b] of [
    ["control", "learner"],
    ["control", "actor-1"],
    ["learner", "actor-1"],
  ] as const) {
    hosts.cutBetween(a, b);
    await delay(cutMs);
    hosts.mendBetween(a, b);
    await fleet.recovered(`${a} and ${b.replace(/-\d+$/, "")} cut off from each other`, { timeoutMs: 60_000 });
  }
  await until("both actors are back", async () => (await fleet.status()).learner?.actors === 2);
  // an actor's end that nobody hears of: its host is cut off first, and plugged in only when it has gone
  hosts.cut("actor-2");
  await fleet.kill("actor-2");
  hosts.mend("actor-2");
  await fleet.recovered("actor gone without a word", { timeoutMs: 60_000 });
  const givenUp = async () => (await fleet.status()).learner?.actors === 1;
  await until("the learner gives the lost actor up", givenUp, 60_000); // keepalive notices within half a minute
  expect(outcomeDifferences(await undisturbed(config), await fleet.finished(600_000))).toEqual([]);
});
