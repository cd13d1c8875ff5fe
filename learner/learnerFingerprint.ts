import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { DeployConfig } from "../shared/deployConfig.ts";
import { OperatorError } from "../shared/errors.ts";
import { type Fingerprint, fingerprint } from "../shared/fingerprint.ts";
import { nativeParts } from "../shared/nativeParts.ts";
import type { RunConfig } from "../shared/runConfig.ts";
import { ownObjectiveDigest } from "./objectives/ownObjective.ts";
import { usedDevice } from "./tensorflow.ts";

/** This learner's fingerprint for a run: what decides its numbers beside the run's config. Throws SETUP, CONFIG. */
export function learnerFingerprint(deploy: DeployConfig, config: RunConfig): Fingerprint {
  const device = usedDevice(deploy.device);
  const convolutional = config.network.kind === "nature"; // what onednn=auto looks at: see tensorflow.ts
  const objective = ownObjectiveDigest(config.algo);
  return fingerprint({
    device: device === "gpu" ? `gpu ${gpuName()}` : "cpu",
    threads: deploy.learnerThreads,
    onednn: deploy.onednn === "auto" ? convolutional : deploy.onednn === "on",
    tensorflow: tensorflowVersion(),
    ...(objective !== null && { objective }),
  });
}

/** As the driver names it: other GPU types may choose other kernels. */
function gpuName(): string {
  const folder = "/proc/driver/nvidia/gpus";
  if (!existsSync(folder)) return "of unknown type";
  const first = readdirSync(folder).sort()[0];
  if (first === undefined) return "of unknown type";
  return (
    /^Model:\s*(.+)$/m.exec(readFileSync(join(folder, first, "information"), "utf8"))?.[1]?.trim() ?? "of unknown type"
  );
}

/** Set-up's folder of the libraries is named by package, version and a digest of how it was made: tensorflow-cpu-2.21.0-<digest>. */
function tensorflowVersion(): string {
  const library = nativeParts().tensorflow?.library;
  if (library === undefined)
    throw new OperatorError("SETUP", "TensorFlow's libraries are not installed.", "Run: npm run setup");
  return basename(dirname(library)).replace(/-[0-9a-f]{16}$/, "");
}
