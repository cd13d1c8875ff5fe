import type { CoordinatorClient } from "../shared/coordinatorClient.ts";
import { OperatorError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import type { RunConfig } from "../shared/runConfig.ts";
import { type Checkpoint, checkResume, decodeCheckpoint, type ResumeTerms } from "./checkpoint.ts";
import type { InitialFile } from "./trainer.ts";

export interface Restored {
  readonly checkpoint: Checkpoint;
  /** Accepted differences between the fingerprints; not empty: the run is not reproducible any more. */
  readonly differences: readonly string[];
}

/**
 * The run's newest checkpoint, checked in every way before anything starts; null: the coordinator has none. Throws CORRUPT
 * or MISMATCH: a learner that was to go on never begins afresh.
 */
export async function restore(
  client: CoordinatorClient,
  newestCheckpoint: number,
  terms: ResumeTerms,
  signal: AbortSignal,
  log: Logger,
): Promise<Restored | null> {
  if (newestCheckpoint === 0) return null;
  const stored = await client.loadCheckpoint(0, { signal, patienceMs: Number.POSITIVE_INFINITY });
  if (stored === null) {
    const problem = `The coordinator knows of a checkpoint after update ${newestCheckpoint}, and has none to give.`;
    throw new OperatorError("STORAGE", problem, "See the coordinator's log and the run's checkpoints folder.");
  }
  if (stored.update < newestCheckpoint)
    log.error(
      `the checkpoint after update ${newestCheckpoint} is DAMAGED: going on from the one after ${stored.update}`,
    );
  const checkpoint = decodeCheckpoint(stored.bytes);
  if (checkpoint.metadata.updates !== stored.update) {
    const problem = `The checkpoint stored as update ${stored.update} is of update ${checkpoint.metadata.updates}.`;
    throw new OperatorError("CORRUPT", problem, "Resume from another checkpoint of this run.");
  }
  const differences = checkResume(checkpoint, terms);
  log.info(`going on after update ${checkpoint.metadata.updates} (checkpoint of generation ${stored.generation})`);
  if (differences.length > 0)
    log.error(`this run is NOT REPRODUCIBLE any more: it goes on elsewhere: ${differences.join("; ")}`);
  return { checkpoint, differences };
}

/** What the run's first policy comes from, where that is not its seed: the coordinator keeps it. */
export async function initialFile(
  client: CoordinatorClient,
  { initFrom }: Pick<RunConfig, "initFrom">,
  signal: AbortSignal,
): Promise<InitialFile | null> {
  if (initFrom === null) return null;
  const bytes = await client.initialFile({ signal, patienceMs: Number.POSITIVE_INFINITY });
  return { name: initFrom.file, bytes }; // whose sha256 is initFrom's: it came with it, and was checked
}
