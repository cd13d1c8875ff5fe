import { freePort } from "../../cli/natsServer.ts";
import type { Fleet } from "./fleet.ts";
import { type StartOptions, startFleet } from "./fleets.ts";
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

  static async start(toxiproxy: Toxiproxy, options: StartOptions): Promise<ProxiedFleet> {
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
    return new ProxiedFleet(await startFleet({ ...options, addresses }), links);
  }
}
