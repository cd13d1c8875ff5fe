import { type ErrorCode, messageOf, OperatorError } from "../shared/errors.ts";
import type { RoleMessage } from "./supervisor.ts";

/** Errors that come back however often the process is started again. */
const pointlessToRetry = new Set<ErrorCode | null>([
  "CONFIG",
  "SETUP",
  "MISMATCH",
  "NUMERIC",
  "ENVIRONMENT",
  "CORRUPT",
  "STORAGE",
  "ADDRESS",
]);

/** Tells the `train` that started this process, if one did. */
export function tellTrain(message: RoleMessage): void {
  if (process.connected) process.send?.(message);
}

/**
 * Runs a command and gives its exit status. An OperatorError is one line for a person (status 1; 2 where a setting is
 * wrong); anything else is a bug and keeps its stack.
 */
export async function exitStatusOf(command: () => Promise<number>): Promise<number> {
  try {
    return await command();
  } catch (error) {
    const forPeople = error instanceof OperatorError;
    const text = forPeople || !(error instanceof Error) ? messageOf(error) : (error.stack ?? error.message);
    process.stderr.write(`anchorage: ${text}\n`);
    const code = forPeople ? error.code : null;
    const forOperator = forPeople ? { code: error.code, problem: error.problem, remedy: error.remedy } : null;
    tellTrain({ kind: "failed", message: messageOf(error), forOperator, retry: !pointlessToRetry.has(code) });
    return code === "CONFIG" ? 2 : 1;
  }
}
