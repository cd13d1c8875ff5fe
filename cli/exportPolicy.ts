import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readStoredPolicy } from "../coordinator/policyFile.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";

/** Copies a run's newest policy: the broadcast snapshot is the exported file. Never overwrites without --force. */
export async function exportPolicy(flags: {
  readonly runDir: string;
  readonly output: string;
  readonly force?: boolean;
}): Promise<number> {
  const warn = (what: string): void => void process.stderr.write(`anchorage: ${what}\n`);
  const policy = await readStoredPolicy(flags.runDir, warn);
  const { Policy } = await import("../actor/policy.ts");
  await Policy.check(policy, join(flags.runDir, "policy.onnx"));
  try {
    writeFileSync(flags.output, policy, { flag: flags.force ? "w" : "wx" });
  } catch (cause) {
    const remedy = "Choose another --output, or overwrite it with --force.";
    throw new OperatorError("STORAGE", `${flags.output} cannot be written: ${messageOf(cause)}.`, remedy, { cause });
  }
  process.stderr.write(`${flags.output}: ONNX, raw observations in, distribution and value out; see docs/policy.md\n`);
  return 0;
}
