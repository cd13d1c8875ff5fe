/** A failure whose message is all that the user needs: what happened, then what to do. Printed without a stack. */
export class SetupError extends Error {
  name = "SetupError";
}

/** Ends the process with status 1 and a message that fits: ours as it is, anything unexpected with its stack. */
export function fail(error) {
  const list = error instanceof AggregateError ? error.errors : [error];
  for (const one of list) process.stderr.write(`\nerror: ${one instanceof SetupError ? one.message : one.stack}\n`);
  process.exit(1);
}
