import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeTensorFile } from "../../learner/safetensors.ts";
import { canonicalJson } from "../../shared/runConfig.ts";

/** One line of metrics.jsonl. */
export interface UpdateRecord {
  readonly update: number;
  readonly generation: number;
  readonly agent_steps: number;
  readonly time: string; // ISO 8601, when the coordinator got it
  readonly [metric: string]: number | string | null;
}

/** Fields of metrics.jsonl that say how and when an update was made, not what it came to. */
const circumstances = /^(generation|time|steps_per_second|actors)$|^(leases|rollouts|backups)_|_seconds$/;

/** The whole lines of a run's metrics.jsonl; a torn last one is left out. */
export function updateRecords(runDir: string): UpdateRecord[] {
  const file = join(runDir, "metrics.jsonl");
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as UpdateRecord);
}

/** What must be equal in every fleet: the update's numbers without its circumstances (times, actors, generation). */
export function numbersOf(record: UpdateRecord): Record<string, number | string | null> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !circumstances.test(name)));
}

/** Metadata of a checkpoint that differ between two equal runs: who made it, how long that took, and digests of both. */
const ofThisRun = new Set(["runId", "counters", "fingerprint", "actorFingerprint", "build", "policies"]);

export interface CheckpointContents {
  /** sha256 over all tensors (weights, Adam, normaliser statistics, policies, environment states) and counters. */
  readonly digest: string;
  /** sha256 of each tensor, and the metadata, to name what differs. */
  readonly parts: Readonly<Record<string, string>>;
  /** [return, length] of the newest raw episodes. */
  readonly episodeWindow: readonly (readonly [number, number])[];
}

/** The newest stored checkpoint's contents; throws if there is none. */
export function newestCheckpoint(runDir: string): CheckpointContents {
  const folder = join(runDir, "checkpoints");
  const newest = readdirSync(folder)
    .filter((name) => name.endsWith(".ckpt"))
    .sort()
    .at(-1);
  if (newest === undefined) throw new Error(`${folder} holds no checkpoint`);
  const { tensors, metadata } = decodeTensorFile(readFileSync(join(folder, newest)));
  const runId = JSON.parse(metadata.runId!) as string;
  const parts: Record<string, string> = {};
  for (const [name, tensor] of Object.entries(tensors))
    parts[name] = createHash("sha256").update(withoutRunId(tensor.data, runId)).digest("hex");
  for (const [name, json] of Object.entries(metadata)) if (!ofThisRun.has(name)) parts[`metadata.${name}`] = json;
  const digest = createHash("sha256").update(canonicalJson(parts)).digest("hex");
  return { digest, parts, episodeWindow: JSON.parse(metadata.episodeWindow!) as [number, number][] };
}

/** A policy snapshot names its run; all else in it must be equal, so only that name is blanked. */
function withoutRunId(data: Uint8Array, runId: string): Uint8Array {
  const bytes = Buffer.from(data);
  for (let at = bytes.indexOf(runId); at >= 0; at = bytes.indexOf(runId, at + 1)) bytes.fill(0, at, at + runId.length);
  return bytes;
}

/** What a finished run came to; two runs of the same config must agree in all of it but `circumstances`. */
export interface RunOutcome {
  readonly weightsSha256: string;
  readonly updates: number;
  readonly agentSteps: number;
  readonly reproducible: boolean;
  readonly checkpoint: CheckpointContents;
  /** One object per update: losses, returns, episodes, agent steps. */
  readonly numbers: readonly Readonly<Record<string, number | string | null>>[];
  /** Not compared: how the run came there. */
  readonly circumstances: {
    readonly generations: number;
    readonly leasesExpired: number;
    readonly backupsGranted: number;
    readonly duplicates: number;
    readonly refused: number;
    readonly stale: number;
  };
}

/** Reads a finished run's folder. Throws where it is not finished. */
export function runOutcome(runDir: string): RunOutcome {
  const state = JSON.parse(readFileSync(join(runDir, "state.json"), "utf8")) as {
    state: string;
    failure: string;
    weightsSha256: string;
    generation: number;
    differences: readonly string[];
  };
  if (state.state !== "FINISHED") throw new Error(`the run in ${runDir} is ${state.state}: ${state.failure}`);
  const records = updateRecords(runDir);
  const last = records.at(-1);
  if (last === undefined) throw new Error(`the run in ${runDir} has no updates`);
  const count = (name: string): number => Number(last[name] ?? 0);
  return {
    weightsSha256: state.weightsSha256,
    updates: last.update,
    agentSteps: last.agent_steps,
    reproducible: state.differences.length === 0,
    checkpoint: newestCheckpoint(runDir),
    numbers: records.map(numbersOf),
    circumstances: {
      generations: state.generation,
      leasesExpired: count("leases_expired"),
      backupsGranted: count("backups_granted"),
      duplicates: count("rollouts_duplicate"),
      refused: count("rollouts_refused"),
      stale: count("rollouts_stale"),
    },
  };
}

/**
 * The differences of two finished runs, as lines that name them; empty: the same numbers throughout. Throws where their
 * episodes could not show a difference: none ended, or all returned the same.
 */
export function outcomeDifferences(a: RunOutcome, b: RunOutcome): string[] {
  const found: string[] = [];
  const returns = new Set(a.checkpoint.episodeWindow.map(([episodeReturn]) => episodeReturn));
  if (returns.size < 2)
    throw new Error(
      `${a.checkpoint.episodeWindow.length} episodes with ${returns.size} different returns compare nothing: give the run a maxEpisodeSteps, or more updates`,
    );
  for (const field of ["weightsSha256", "updates", "agentSteps", "reproducible"] as const)
    if (a[field] !== b[field]) found.push(`${field}: ${a[field]} against ${b[field]}`);
  const parts = new Set([...Object.keys(a.checkpoint.parts), ...Object.keys(b.checkpoint.parts)]);
  for (const part of parts)
    if (a.checkpoint.parts[part] !== b.checkpoint.parts[part])
      found.push(`checkpoint ${part}: ${a.checkpoint.parts[part]} against ${b.checkpoint.parts[part]}`);
  for (let i = 0; i < Math.max(a.numbers.length, b.numbers.length); i++) {
    const [x, y] = [canonicalJson(a.numbers[i] ?? null), canonicalJson(b.numbers[i] ?? null)];
    if (x !== y) found.push(`update ${i + 1}: ${x} against ${y}`);
    if (found.length > 20) break;
  }
  return found;
}
