import { constants, copyFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf, OperatorError } from "../shared/errors.ts";

/** Copies a run's newest policy: the broadcast snapshot is the exported file. Never overwrites without --force. */
export async function exportPolicy(flags: {
  readonly runDir: string;
  readonly output: string;
  readonly force?: boolean;
}): Promise<number> {
  const policy = join(flags.runDir, "policy.onnx");
  const { Policy } = await import("../actor/policy.ts");
  await Policy.check(policy);
  try {
    copyFileSync(policy, flags.output, flags.force ? 0 : constants.COPYFILE_EXCL);
  } catch (cause) {
    const remedy = "Choose another --output, or overwrite it with --force.";
    throw new OperatorError("STORAGE", `${flags.output} cannot be written: ${messageOf(cause)}.`, remedy, { cause });
  }
  process.stderr.write(`${flags.output}: ONNX, raw observations in, distribution and value out; see docs/policy.md\n`);
  return 0;
}
