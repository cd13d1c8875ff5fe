import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "../../cli/natsServer.ts";
import { Fleet } from "./fleet.ts";
import type { FleetOptions } from "./fleetLaunch.ts";
import type { Link, Toxiproxy } from "./toxiproxy.ts";

/** The links of a run, by what they lead to: actors to the learner, all to the coordinator, learner and actors to NATS. */
export type Links = Readonly<Record<"learner" | "coordinator" | "nats", Link>>;

let made = 0;

/** A fleet whose processes reach each other through toxiproxy; the test itself reaches them directly. */
export class ProxiedFleet {
  readonly fleet: Fleet;
  readonly links: Links;

  private constructor(fleet: Fleet, links: Links) {
    this.fleet = fleet;
    this.links = links;
  }

  static async start(toxiproxy: Toxiproxy, options: FleetOptions): Promise<ProxiedFleet> {
    const own = async (): Promise<string> => `127.0.0.1:${await freePort()}`;
    const [natsListen, coordinatorListen, learnerListen] = [await own(), await own(), await own()];
    const n = made++;
    const links = {
      learner: await toxiproxy.link(`learner-${n}`, learnerListen),
      coordinator: await toxiproxy.link(`coordinator-${n}`, coordinatorListen),
      nats: await toxiproxy.link(`nats-${n}`, natsListen),
    };
    const addresses = {
      natsListen,
      coordinatorListen,
      learnerListen,
      nats: links.nats.address,
      coordinator: links.coordinator.address,
      learnerAdvertise: links.learner.address,
    };
    return new ProxiedFleet(await Fleet.start({ ...options, addresses }), links);
  }
}

/** Resolves when `holds` does; throws after `timeoutMs`, naming what was waited for. */
export async function until(what: string, holds: () => Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs / 1000} s`);
    await delay(100);
  }
}
