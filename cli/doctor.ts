import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { projectRoot } from "../shared/nativeParts.ts";

/** The doctor is a script of its own, so that it also works where nothing is built or installed yet. */
export async function doctor(flags: { readonly json?: boolean }): Promise<number> {
  const script = join(projectRoot, "scripts", "doctor.mjs");
  const { status } = spawnSync(process.execPath, [script, ...(flags.json ? ["--json"] : [])], { stdio: "inherit" });
  return status ?? 1;
}
