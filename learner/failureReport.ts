import type { CoordinatorClient } from "../shared/coordinatorClient.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import type { RunMember } from "../shared/runMember.ts";
import { RefusedMinibatch, withFate } from "./refusedMinibatch.ts";

interface Reporting {
  readonly client: CoordinatorClient;
  readonly member: RunMember;
  readonly log: Logger;
}

/** Failures that come back however often the learner is started again: the run is over, and its members should know. */
const final = new Set(["CONFIG", "ENVIRONMENT", "NUMERIC", "SHAPE"]);

/** A disk that is full now may have room soon; the run's members wait for the report meanwhile. */
const storingMs = 30_000;

/**
 * Tells the coordinator that the run has failed, where that is final; a refused minibatch is stored before, so that whoever
 * reads of the failure finds it. Gives the error to end with: it says where the minibatch is.
 */
export async function reportFailure(reporting: Reporting, error: unknown): Promise<unknown> {
  if (!(error instanceof OperatorError) || !final.has(error.code)) return error;
  const told = error instanceof RefusedMinibatch ? withFate(error, await store(reporting, error)) : error;
  const { client, member, log } = reporting;
  const report = { generation: member.generation, update: 0, metrics: {}, failure: told.message };
  await client
    .reportUpdate(report, { patienceMs: 5_000 })
    .catch((reason: unknown) => log.error(`the failure could not be reported: ${messageOf(reason)}`));
  return told;
}

/** Empty: it is stored; else why not. */
async function store({ client, member }: Reporting, { file }: RefusedMinibatch): Promise<string> {
  const minibatch = { generation: member.generation, update: 0, bytes: file };
  try {
    return (await client.saveRefusedMinibatch(minibatch, { patienceMs: storingMs })).refused;
  } catch (error) {
    return messageOf(error);
  }
}
