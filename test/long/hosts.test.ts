import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, expect, it } from "vitest";
import { faultTable } from "../chaos/chaosReport.ts";
import { Fleet } from "../chaos/fleet.ts";
import type { ProcessName } from "../chaos/fleetLaunch.ts";
import { NetworkHosts, noNetworkHosts } from "../chaos/networkHosts.ts";
import { pacedBy, pacedCartPole, recovered, undisturbedRun } from "../chaos/pacedRun.ts";
import { until } from "../chaos/proxiedFleet.ts";
import { outcomeDifferences } from "../chaos/runRecord.ts";
import { temporaryFolder } from "../system/command.ts";

const missing = noNetworkHosts();
const config = pacedCartPole(200);
const cutMs = Number(process.env.ANCHORAGE_CUT_SECONDS ?? 30) * 1000;

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const each of cleanUps.splice(0).reverse()) await each();
});
afterAll(() => console.log(faultTable()));

/** Coordinator and NATS on one host, the learner on a second, an actor on each of two more. */
async function startFleet(hosts: NetworkHosts): Promise<Fleet> {
  const host = (name: ProcessName): string => (name === "nats" || name === "coordinator" ? "control" : name);
  const folder = temporaryFolder();
  cleanUps.push(folder.remove);
  const fleet = await Fleet.start({
    folder: folder.path,
    config,
    actors: 2,
    env: pacedBy(10),
    label: "hosts.test.ts",
    deploy: { leaseSeconds: 5, insecure: true },
    addresses: {
      natsListen: `${hosts.address("control")}:4222`,
      coordinatorListen: `${hosts.address("control")}:7400`,
      learnerListen: `${hosts.address("learner")}:7401`,
    },
    wrap: (name) => hosts.on(host(name)),
  });
  cleanUps.push(() => fleet.dispose());
  await fleet.update(3, 180_000);
  return fleet;
}

it.skipIf(missing !== null)(`a run on four hosts outlives each cut of ${cutMs / 1000} s ${missing ?? ""}`, async () => {
  const undisturbed = await undisturbedRun(config);
  const hosts = NetworkHosts.make(["control", "learner", "actor-1", "actor-2"]);
  cleanUps.push(() => hosts.remove());
  const fleet = await startFleet(hosts);
  for (const host of hosts.names) {
    hosts.cut(host);
    await delay(cutMs);
    hosts.mend(host);
    await recovered(fleet, `host of ${host.replace(/-\d+$/, "")} cut off`);
  }
  for (const [a, b] of [
    ["control", "learner"],
    ["control", "actor-1"],
    ["learner", "actor-1"],
  ] as const) {
    hosts.cutBetween(a, b);
    await delay(cutMs);
    hosts.mendBetween(a, b);
    await recovered(fleet, `${a} and ${b.replace(/-\d+$/, "")} cut off from each other`);
  }
  await until("both actors are back", async () => (await fleet.status()).learner?.actors === 2);
  // an actor's end that nobody hears of: its host is cut off first, and plugged in only when it has gone
  hosts.cut("actor-2");
  await fleet.kill("actor-2");
  hosts.mend("actor-2");
  await recovered(fleet, "actor gone without a word");
  await until("the learner gives the lost actor up", async () => (await fleet.status()).learner?.actors === 1);
  expect(outcomeDifferences(undisturbed, await fleet.finished(600_000))).toEqual([]);
});
