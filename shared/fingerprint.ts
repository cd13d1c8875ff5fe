import { existsSync, readFileSync } from "node:fs";
import { arch, cpus, platform } from "node:os";
import { z } from "zod";
import { buildId } from "./build.ts";
import { OperatorError } from "./errors.ts";

/** It comes over the wire and is kept on the disk. */
const text = z.string().max(256);

/**
 * What decides a run's numbers beside its RunConfig (DESIGN, idea 2): two runs of the same config and fingerprints end
 * with the same weights. An actor's has no learner part.
 */
export const Fingerprint = z.object({
  build: text.describe("shared/build.ts"),
  node: text.describe("Node version: V8's Math functions"),
  platform: text,
  arch: text,
  libc: text.describe("version of glibc, or musl: its libm is under MuJoCo and the policies"),
  cpu: text.describe("model name"),
  cpuFlags: z.array(text).max(256).describe("vector instructions, which kernels are chosen by"),
  learner: z
    .object({
      device: text.describe("cpu, or gpu with its name"),
      threads: z.int().describe("TensorFlow's intra-op threads"),
      onednn: z.boolean(),
      tensorflow: text,
      objective: text.optional().describe("sha256 of the user's module, where algo names one"),
    })
    .nullable(),
});
export type Fingerprint = Readonly<z.infer<typeof Fingerprint>>;
export type LearnerFingerprint = NonNullable<Fingerprint["learner"]>;

/** x86: SSE4 to AMX; ARM: NEON and SVE. */
const vectorFlag = /^(sse4_\d|avx.*|fma|f16c|amx_.*|asimd.*|sve.*|bf16|i8mm)$/;

function vectorFlags(): string[] {
  const file = "/proc/cpuinfo";
  if (!existsSync(file)) return []; // not Linux: the model name has to do
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync(file, "utf8"));
  return (line?.[1] ?? "")
    .trim()
    .split(/\s+/)
    .filter((flag) => vectorFlag.test(flag))
    .sort();
}

function libc(): string {
  // Without this the report looks up host names of open sockets, which can take seconds.
  (process.report as { excludeNetwork?: boolean }).excludeNetwork = true;
  const report = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  const version = report.header.glibcVersionRuntime;
  return version === undefined ? (platform() === "linux" ? "musl" : "system") : `glibc ${version}`;
}

let machine: Omit<Fingerprint, "learner"> | null = null;

/** This process's fingerprint; actors pass null. */
export function fingerprint(learner: LearnerFingerprint | null): Fingerprint {
  machine ??= {
    build: buildId(),
    node: process.version,
    platform: platform(),
    arch: arch(),
    libc: libc(),
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cpuFlags: vectorFlags(),
  };
  return { ...machine, learner };
}

/** A fingerprint as it comes over the wire. Throws CORRUPT if it is none. */
export function parseFingerprint(json: string): Fingerprint {
  try {
    return Fingerprint.parse(JSON.parse(json));
  } catch (cause) {
    const problem = `The fingerprint ${JSON.stringify(json.slice(0, 80))} cannot be read.`;
    throw new OperatorError("CORRUPT", problem, "Run the same build in every process.", { cause });
  }
}

/**
 * What differs, one line each, such as `node: v20.20.0 against v22.1.0`; empty: same. The learner part counts only if
 * both have one.
 */
export function fingerprintDifferences(a: Fingerprint, b: Fingerprint): string[] {
  const fields = ["build", "node", "platform", "arch", "libc", "cpu"] as const;
  const differences = fields.filter((f) => a[f] !== b[f]).map((f) => `${f}: ${a[f]} against ${b[f]}`);
  const onlyA = a.cpuFlags.filter((flag) => !b.cpuFlags.includes(flag));
  const onlyB = b.cpuFlags.filter((flag) => !a.cpuFlags.includes(flag));
  if (onlyA.length + onlyB.length > 0)
    differences.push(`cpuFlags: ${onlyA.join(" ") || "none more"} against ${onlyB.join(" ") || "none more"}`);
  if (a.learner && b.learner)
    for (const f of ["device", "threads", "onednn", "tensorflow", "objective"] as const)
      if (a.learner[f] !== b.learner[f])
        differences.push(`learner ${f}: ${a.learner[f] ?? "none"} against ${b.learner[f] ?? "none"}`);
  return differences;
}
