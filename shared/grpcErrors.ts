import { type ServiceError, status } from "@grpc/grpc-js";
import { type ErrorCode, messageOf, OperatorError } from "./errors.ts";

/** Failures of the way to a peer, not of the request: the same call may succeed later. */
const transient = new Set<number>([
  status.UNAVAILABLE,
  status.DEADLINE_EXCEEDED,
  status.ABORTED,
  status.RESOURCE_EXHAUSTED,
]);

const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && typeof (error as Partial<ServiceError>).code === "number" && "details" in error;

/** What grpc-js (either end) and our guard say of a message over the limit: it will be too large every time. */
const tooLarge =
  /message (?:that decompresses to a size|with a size|larger than max)|a message of \d+ bytes; the most here/;

const rootOf = (error: unknown): unknown => (error instanceof OperatorError ? error.cause : error);

/** The message was larger than one may be; sent again it would be refused again. */
export function isTooLarge(error: unknown): boolean {
  const root = rootOf(error);
  return isServiceError(root) && root.code === status.RESOURCE_EXHAUSTED && tooLarge.test(root.details);
}

/** Is it worth trying this call again? Looks at gRPC errors and at the OperatorErrors made of them. */
export function isTransient(error: unknown): boolean {
  const root = rootOf(error);
  return isServiceError(root) && transient.has(root.code) && !isIdentity(root) && !isTooLarge(root);
}

/** The other end could not write its disk: the STORAGE error in its own words. null: the call failed otherwise. */
export function storageRefusal(error: unknown): OperatorError | null {
  const root = rootOf(error);
  const words = isServiceError(root) ? /^\[STORAGE\] (.*)$/s.exec(root.details)?.[1] : undefined;
  return words === undefined ? null : new OperatorError("STORAGE", words, "Until then the run's state stays as it is.");
}

/** A full disk may have room in a moment; one that is read-only or answers with errors stays so until somebody mends it. */
export function isFailedDisk(error: unknown): boolean {
  return /: (?:EROFS|EIO): /.test(storageRefusal(error)?.problem ?? "");
}

const codes: Partial<Record<number, ErrorCode>> = {
  [status.INVALID_ARGUMENT]: "CONFIG",
  [status.NOT_FOUND]: "MISMATCH",
  [status.FAILED_PRECONDITION]: "MISMATCH",
  [status.DATA_LOSS]: "CORRUPT",
  [status.UNAUTHENTICATED]: "IDENTITY",
  [status.PERMISSION_DENIED]: "IDENTITY",
};

/** What Node says where the other end's certificate is not acceptable here. gRPC calls that UNAVAILABLE. */
const badServer =
  /certificate|self.signed|unable to (?:verify|get)|ERR_TLS_|Hostname\/IP does not match|wrong version number|packet length too long/i;

/** grpc-js has the reason of a connection that could not be made in the text only. */
const isIdentity = ({ code, details }: ServiceError): boolean =>
  codes[code] === "IDENTITY" || (code === status.UNAVAILABLE && badServer.test(details));

/** Translates what a call to `peer` (such as "the coordinator at 10.0.0.1:7400") failed with. */
export function grpcError(peer: string, method: string, error: unknown): OperatorError {
  if (error instanceof OperatorError) return error;
  if (!isServiceError(error))
    return new OperatorError("NETWORK", `${method} to ${peer} failed: ${messageOf(error)}.`, "See the cause.", {
      cause: error,
    });
  const name = status[error.code] ?? `code ${error.code}`;
  const details = error.details.replace(/ Resolution note: $/, ""); // grpc-js adds it empty
  const problem = `${method} to ${peer} failed: ${name}: ${details}`.replace(/\.?$/, ".");
  if (error.code === status.UNIMPLEMENTED)
    return new OperatorError("MISMATCH", problem, "Run the same build in every process.", { cause: error });
  if (isIdentity(error))
    return new OperatorError(
      "IDENTITY",
      problem,
      "Both ends need certificates of the same authority, of their own roles and with the host's name in them (anchorage certificates); without certificates, status, pause, resume and stop need the run's control token: --run-dir DIR on its host, else --control-token FILE (docs/security.md).",
      { cause: error },
    );
  const itsOwnWords = /^\[[A-Z]+\] /.test(details); // it runs, and was reached
  const remedy =
    isTransient(error) && !itsOwnWords
      ? "Check that it runs and that host and port are right."
      : "See the message; the other side's log tells more.";
  return new OperatorError(codes[error.code] ?? "NETWORK", problem, remedy, { cause: error });
}
