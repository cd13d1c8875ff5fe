import { type ErrorCode, messageOf, OperatorError } from "../shared/errors.ts";
import type { PolicySnapshot } from "../shared/policySnapshot.ts";
import { RefusedMinibatch } from "./refusedMinibatch.ts";
import type { TrainingRollout } from "./roundBatch.ts";
import type { InitialFile, TrainerState, UpdateResult } from "./trainer.ts";

/** What TrainerThread asks of its worker; answered in order. */
export type TrainerCall =
  | { readonly call: "initialise"; readonly state: TrainerState | null; readonly initial: InitialFile | null }
  | { readonly call: "update"; readonly round: number; readonly rollouts: readonly TrainingRollout[] }
  | { readonly call: "state" }
  | { readonly call: "close" };

export interface TrainerResults {
  readonly initialise: PolicySnapshot;
  readonly update: UpdateResult;
  readonly state: TrainerState;
  readonly close: null;
}

export type TrainerAnswer =
  | { readonly result: TrainerResults[keyof TrainerResults] }
  | { readonly failure: TrainerFailure };

/** An error in a form that survives the way between threads. */
export interface TrainerFailure {
  readonly operator: { readonly code: ErrorCode; readonly problem: string } | null; // null: a programming error
  readonly minibatch: Uint8Array | null; // of a RefusedMinibatch
  readonly message: string;
  readonly stack: string;
}

export function failureOf(error: unknown): TrainerFailure {
  const operator = error instanceof OperatorError ? { code: error.code, problem: error.problem } : null;
  const minibatch = error instanceof RefusedMinibatch ? error.file : null;
  return { operator, minibatch, message: messageOf(error), stack: (error instanceof Error && error.stack) || "" };
}

/** The worker's error again, with its whole message and the worker's stack as cause. */
export function asError({ operator, minibatch, message, stack }: TrainerFailure): Error {
  const cause = { cause: stack };
  if (operator === null) return new Error(message, cause);
  const { code, problem } = operator;
  const remedy = message.slice(`[${code}] ${problem} `.length);
  return minibatch === null
    ? new OperatorError(code, problem, remedy, cause)
    : new RefusedMinibatch(problem, remedy, minibatch, cause);
}
