import { setTimeout as delay } from "node:timers/promises";
import type { Fleet } from "./fleet.ts";
import { chaosDeploy, type ProcessName } from "./fleetLaunch.ts";

/** The learner hears of a pause with its next heartbeat: only what holds for two of them holds. */
const stillMs = 2 * chaosDeploy.heartbeatSeconds * 1000 + 100;

/** What Fleet and TrainFleet have in common. */
export interface PausableFleet {
  control(action: "PAUSE" | "RESUME"): Promise<void>;
  /** The metrics of the learner and of every actor that is registered. */
  memberMetrics(): Promise<{ readonly learner: Metrics; readonly actors: readonly Metrics[] }>;
}
type Metrics = Readonly<Record<string, number>>;

/**
 * Pauses the run until, with no more updates, neither the learner counts a lease as out nor an actor holds one; then looks
 * and lets the run go on. Throws if a lease stays.
 */
export async function whilePaused<T>(fleet: PausableFleet, look: () => Promise<T>, timeoutMs = 30_000): Promise<T> {
  await fleet.control("PAUSE");
  const deadline = performance.now() + timeoutMs;
  let before = "";
  let since = performance.now();
  for (;;) {
    const { learner, actors } = await fleet.memberMetrics();
    const held = actors.map((metrics) => metrics.anchorage_actor_leases ?? 0);
    const now = `${learner.anchorage_learner_leases} are out, the actors hold ${held.join(", ")}, update ${learner.anchorage_learner_updates}`;
    const none = learner.anchorage_learner_leases === 0 && held.every((leases) => leases === 0);
    if (now !== before || !none) since = performance.now();
    before = now;
    if (performance.now() - since > stillMs) break;
    if (performance.now() > deadline) throw new Error(`leases leaked, or the pause was not heard of: ${now}`);
    await delay(50);
  }
  const seen = await look();
  await fleet.control("RESUME");
  return seen;
}

/** Pauses the run, sees that no lease is left over, and lets it go on. */
export const checkLeases = (fleet: PausableFleet): Promise<void> => whilePaused(fleet, async () => undefined);

/** How many rollouts of this actor the learner took. */
export async function rolloutsTaken(fleet: Fleet, name: ProcessName): Promise<number> {
  return (await fleet.metrics(name))['anchorage_actor_rollouts_total{outcome="taken"}'] ?? 0;
}
