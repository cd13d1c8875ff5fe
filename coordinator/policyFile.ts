import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { OperatorError } from "../shared/errors.ts";
import { storageError, writeAtomically } from "./atomicFile.ts";

const policyName = "policy.onnx";
const digestsName = "policy.onnx.sha256";
const digestLine = /^([0-9a-f]{64}) {2}policy\.onnx$/;

/**
 * A run's policy.onnx and, in policy.onnx.sha256, the digests that it may have: of the newest policy and of the one
 * before. The digests are written first, so at whatever moment a crash comes, the policy that is there is one of them.
 */
export class PolicyFile {
  readonly #folder: string;
  #before: readonly string[] | null = null; // what may be on the disk now; null: not looked yet

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Throws STORAGE; an older policy then stays as good as it was. */
  async write(policy: Uint8Array): Promise<void> {
    const digest = sha256(policy);
    const possible = [...new Set([digest, ...(this.#before ?? (await this.#found()))])];
    const lines = possible.map((each) => `${each}  ${policyName}\n`);
    await writeAtomically(join(this.#folder, digestsName), lines.join(""));
    this.#before = possible; // until the policy itself is there, too
    await writeAtomically(join(this.#folder, policyName), policy);
    this.#before = [digest];
  }

  /** After a start: those in the file, or that of a policy from a build that wrote none. */
  async #found(): Promise<readonly string[]> {
    const digests = await readDigests(this.#folder);
    if (digests !== null) return digests;
    const policy = await readIfThere(join(this.#folder, policyName));
    return policy === null ? [] : [sha256(policy)];
  }
}

/**
 * The bytes of a run's newest policy, checked against its digest. Throws STORAGE where they cannot be read, CORRUPT where
 * they are not what the coordinator wrote. `unverified` is told where there is no digest: an older build wrote none.
 */
export async function readStoredPolicy(folder: string, unverified: (why: string) => void): Promise<Uint8Array> {
  const file = join(folder, policyName);
  const policy = await readIfThere(file);
  if (policy === null)
    throw new OperatorError(
      "STORAGE",
      `There is no ${file}.`,
      `Is ${folder} a run folder? A policy is there from the first checkpoint on.`,
    );
  const digests = await readDigests(folder); // after the policy: a newer list still holds the digest of the one before
  if (digests === null) {
    unverified(`${file} is not checked: there is no ${digestsName} beside it`);
    return policy;
  }
  const digest = sha256(policy);
  if (digests.includes(digest)) return policy;
  if (!(await readIfThere(file))?.equals(policy)) return readStoredPolicy(folder, unverified); // replaced meanwhile
  const problem = `${file} is damaged: its sha256 is ${digest}, ${digestsName} says ${digests[0] ?? "nothing"}.`;
  const remedy =
    "Copy both files from a backup; a run that is not finished writes them again at its first checkpoint after `train --resume`.";
  throw new OperatorError("CORRUPT", problem, remedy);
}

/** Newest first; null: there is no such file. A damaged line is left out: it vouches for nothing. */
async function readDigests(folder: string): Promise<readonly string[] | null> {
  const text = await readIfThere(join(folder, digestsName));
  if (text === null) return null;
  return text
    .toString("utf8")
    .split("\n")
    .flatMap((line) => digestLine.exec(line)?.[1] ?? []);
}

async function readIfThere(file: string): Promise<Buffer | null> {
  try {
    return await readFile(file);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw storageError(`${file} cannot be read`, cause);
  }
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
