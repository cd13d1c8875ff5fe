/** Stable names of what can go wrong; scripts may match on them, people read the message. */
export const errorCodes = [
  "CONFIG", // a setting, flag or config file is wrong
  "ENVIRONMENT", // an environment cannot be made, or misbehaved (threw, returned NaN)
  "SHAPE", // an array has another length, shape or dtype than agreed
  "CORRUPT", // bytes that fail their checksum or do not decode
  "MISMATCH", // two parts disagree: run, generation, version, digest, fingerprint
  "SETUP", // a native part is missing or unusable: npm run setup
  "STORAGE", // a file or folder cannot be read or written
  "NETWORK", // a peer cannot be reached
  "IDENTITY", // a peer is not who it must be, or does not let this process in
  "ADDRESS", // an address cannot be listened on: it is in use, or not of this machine
  "PROCESS", // a process of the run ended and cannot be kept alive
  "BUSY", // a limit is reached for now: the same request may succeed later
  "NUMERIC", // NaN or Inf where a number is needed
] as const;
export type ErrorCode = (typeof errorCodes)[number];

/** An error that the person running Anchorage can act on: what happened, with values, then the remedy. */
export class OperatorError extends Error {
  override readonly name = "OperatorError";
  readonly code: ErrorCode;
  readonly problem: string;
  readonly remedy: string;
  constructor(code: ErrorCode, problem: string, remedy: string, options?: ErrorOptions) {
    super(`[${code}] ${problem} ${remedy}`, options);
    this.code = code;
    this.problem = problem;
    this.remedy = remedy;
  }
}

export function shapeError(field: string, want: number, got: ArrayLike<unknown>): OperatorError {
  const problem = `${field} has ${got.length} elements, expected ${want}.`;
  return new OperatorError(
    "SHAPE",
    problem,
    "Give it that length; between processes of a run: start all of them from the same build.",
  );
}

/** The one funnel from `unknown` (what a catch gives) to a message. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
