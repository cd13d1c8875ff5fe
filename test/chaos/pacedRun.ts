import { temporaryFolder } from "../system/command.ts";
import { tinyCartPole } from "./configs.ts";
import { Fleet } from "./fleet.ts";
import type { RunOutcome } from "./runRecord.ts";

/** CartPole of `updates` updates, whose pace a test sets: pacedBy(). */
export function pacedCartPole(updates: number) {
  const env = "test/chaos/fixtures/pacedCartPole.ts";
  return { ...tinyCartPole, env, totalSteps: tinyCartPole.envs * tinyCartPole.rolloutSteps * updates } as const;
}

/** Fleet option `env`: every environment step takes so long. A round is 64 steps one after the other with two actors. */
export const pacedBy = (milliseconds: number) => () => ({ ANCHORAGE_CHAOS_STEP_MS: String(milliseconds) });

/** What the run comes to when nothing happens to it; as fast as it goes. */
export async function undisturbedRun(config: Readonly<Record<string, unknown>>): Promise<RunOutcome> {
  const folder = temporaryFolder();
  const fleet = await Fleet.start({ folder: folder.path, config, actors: 2 });
  try {
    return await fleet.finished(300_000);
  } finally {
    await fleet.dispose();
    folder.remove();
  }
}

/** Waits for the next update after a repair; throws where there is none, because the run was over already. */
export async function recovered(fleet: Fleet, kind: string, timeoutMs = 60_000): Promise<void> {
  if ((await fleet.recovered(kind, timeoutMs)) === null)
    throw new Error(`${kind}: the run was over before the fault was; give it more updates`);
}
