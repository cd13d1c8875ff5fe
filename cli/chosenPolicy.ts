import { readFileSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { policyMetadata } from "../actor/policyMetadata.ts";
import { readStoredPolicy } from "../coordinator/policyFile.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import { RunConfig } from "../shared/runConfig.ts";
import { checkpointPolicy } from "./checkpointPolicy.ts";

export interface PolicyFlags {
  readonly runDir?: string;
  readonly policy?: string;
  readonly env?: string;
  /** With runDir: instead of the newest policy that of a checkpoint, by its file or the updates done. */
  readonly checkpoint?: string;
}

export interface ReadPolicy {
  readonly bytes: Uint8Array;
  readonly version: number | null; // null: the file does not say
}

/** A policy and the environment that it is for: a run's newest one, a checkpoint's, or an exported file. */
export class ChosenPolicy {
  readonly source: string; // names it in messages
  readonly config: Pick<RunConfig, "env" | "envOptions">;
  readonly #runDir: string | null;
  readonly #checkpoint: string | null;
  #mark = ""; // of the file that was read last

  private constructor(
    source: string,
    config: ChosenPolicy["config"],
    runDir: string | null,
    checkpoint: string | null = null,
  ) {
    this.source = source;
    this.config = config;
    this.#runDir = runDir;
    this.#checkpoint = checkpoint;
  }

  /**
   * From --run-dir, or from --policy with the environment that the file names unless --env names another. Rejects with
   * CONFIG, STORAGE or CORRUPT.
   */
  static async of({ runDir, policy, env, checkpoint }: PolicyFlags): Promise<ChosenPolicy> {
    if ((runDir === undefined) === (policy === undefined))
      throw new OperatorError("CONFIG", "Which policy?", "Give either --run-dir FOLDER or --policy FILE.");
    if (runDir !== undefined) {
      if (env === undefined && checkpoint === undefined)
        return new ChosenPolicy(join(runDir, "policy.onnx"), storedConfig(runDir), runDir);
      if (env === undefined && checkpoint !== undefined)
        return new ChosenPolicy(`checkpoint ${checkpoint} of ${runDir}`, storedConfig(runDir), runDir, checkpoint);
      throw new OperatorError("CONFIG", `--env ${env} does not go with --run-dir.`, "The run names its environment.");
    }
    if (checkpoint !== undefined)
      throw new OperatorError("CONFIG", `--checkpoint ${checkpoint} does not go with --policy.`, "Give --run-dir.");
    const named = env ?? policyMetadata(await readPolicy(policy!), policy!).get("anchorage.env");
    if (named === undefined)
      throw new OperatorError("CONFIG", `${policy} does not name its environment.`, "Name it with --env.");
    return new ChosenPolicy(policy!, { env: named, envOptions: {} }, null);
  }

  /** Rejects as readStoredPolicy does. */
  async read(): Promise<ReadPolicy> {
    this.#mark = await this.#markNow();
    const bytes = await this.#bytes();
    const version = Number(policyMetadata(bytes, this.source).get("anchorage.version"));
    return { bytes, version: Number.isInteger(version) ? version : null };
  }

  #bytes(): Promise<Uint8Array> {
    if (this.#runDir === null) return readPolicy(this.source);
    if (this.#checkpoint === null) return readStoredPolicy(this.#runDir, warn);
    return checkpointPolicy(this.#runDir, this.#checkpoint);
  }

  /** Whether the file has become another one since `read`. A checkpoint never does. */
  async changed(): Promise<boolean> {
    return (await this.#markNow()) !== this.#mark;
  }

  async #markNow(): Promise<string> {
    try {
      const { ino, size, mtimeMs } = await stat(this.source);
      return `${ino} ${size} ${mtimeMs}`;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return this.#mark; // `read` says so better
      throw error;
    }
  }
}

const warn = (what: string): void => void process.stderr.write(`anchorage: ${what}\n`);

async function readPolicy(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    const problem = `${file} cannot be read: ${messageOf(cause)}.`;
    throw new OperatorError("STORAGE", problem, "Give --policy a file that `anchorage export` wrote.", { cause });
  }
}

function storedConfig(runDir: string): RunConfig {
  const file = join(runDir, "config.json");
  const text = read(file, runDir);
  try {
    return RunConfig.parse(JSON.parse(text));
  } catch (cause) {
    const problem = `${file} is no run config of this build: ${messageOf(cause)}.`;
    const remedy = "Restore the file, or use the build that wrote it (run.json names it).";
    throw new OperatorError("CORRUPT", problem, remedy, { cause });
  }
}

function read(file: string, runDir: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const problem = `${file} cannot be read: ${messageOf(cause)}.`;
    const remedy = `Is ${runDir} a run folder?`;
    throw new OperatorError("STORAGE", problem, remedy, { cause });
  }
}
