import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { atariEnvironment } from "../../native/atariEnvironments.ts";
import { createNativeEnvBatch } from "../../native/envBatch.ts";
import { nativeParts } from "../../shared/nativeParts.ts";

export type Options = Record<string, number | boolean>;

/** The 40 games of the paper. */
export const paperGames = `Pong Breakout Freeway Boxing Seaquest BeamRider SpaceInvaders Riverraid DemonAttack Centipede
  VideoPinball DoubleDunk Asteroids Atlantis Gopher RoadRunner TimePilot CrazyClimber Tutankham Robotank StarGunner UpNDown
  Phoenix Bowling IceHockey Skiing Kangaroo Zaxxon ElevatorAction Assault AirRaid Alien Amidar Asterix BankHeist BattleZone
  Berzerk Carnival ChopperCommand Enduro`
  .split(/\s+/)
  .map((game) => `${game}-v5`);

/** Actions [E] of step t: held for a few steps, so that games get on; a function of t alone. */
export function atariActions(t: number, size: number, count: number): Int32Array {
  return Int32Array.from({ length: size }, (_, e) => {
    const hash = Math.imul(Math.floor(t / 4) * 31 + e + 1, 2654435761) >>> 8;
    return hash % count;
  });
}

/** What continueMujoco.mjs (it knows no family) needs to play the steps from `firstStep` on. */
export function atariJob(id: string, options: Options, size: number, firstStep: number, steps: number) {
  const batch = createNativeEnvBatch({ id, size, options });
  if (batch.spec.action.kind !== "discrete") throw new Error(`${id} has continuous actions`);
  const { count } = batch.spec.action;
  const { settings } = atariEnvironment(id, options, nativeParts().atariRoms);
  const arrays = Object.fromEntries(
    Object.entries(batch)
      .filter(([, value]) => ArrayBuffer.isView(value))
      .map(([name, value]) => [name, [value.constructor.name, (value as Uint8Array).length]]),
  );
  batch.close();
  const actions = Array.from({ length: steps }, (_, t) => atariActions(firstStep + t, size, count));
  return {
    id,
    options: { ...settings, identity: id, size, maxEpisodeSteps: settings.maxEpisodeSteps },
    arrays,
    actions,
  };
}

export interface Played {
  readonly id: string;
  readonly digests: string[]; // of the first observation, then of all arrays after each step
  readonly ends: number;
  readonly snapshot: Uint8Array;
}

export async function inAnotherProcess(steps: number, batches: object[]): Promise<Played[]> {
  const child = fork(join(import.meta.dirname, "continueMujoco.mjs"), { serialization: "advanced", execArgv: [] });
  child.send({ addon: nativeParts().addons.atari, steps, batches });
  const [answer] = await Promise.race([once(child, "message"), once(child, "exit")]);
  if (!Array.isArray(answer)) throw new Error(`the child process ended with status ${answer}`);
  return answer as Played[];
}
