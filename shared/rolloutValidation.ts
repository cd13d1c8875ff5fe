import type { Rollout__Output as RolloutMessage } from "../proto/gen/anchorage/v1/Rollout.ts";
import type { EnvironmentSpec } from "./environment.ts";
import { type ErrorCode, OperatorError } from "./errors.ts";
import { quoted } from "./portRefusals.ts";
import type { EpisodeEnd, Rollout, RolloutKey, RolloutTiming } from "./rollout.ts";
import { type RunConfig, runShape } from "./runConfig.ts";

/** What is wrong with a rollout, by wire field. The receiver refuses and counts it; its environments run again. */
export function badRollout(field: string, code: ErrorCode, what: string, options?: ErrorOptions): OperatorError {
  const remedy = "It is refused; run the same build of Anchorage with the same run config in every process.";
  return new OperatorError(code, `Rollout field ${field} ${what}.`, remedy, options);
}

const sha256Pattern = /^[0-9a-f]{64}$/;

/** Ids that must be present, and indices that must exist in the run. */
export function checkKey(message: RolloutMessage, config: RunConfig): RolloutKey {
  const { envBatches, rounds } = runShape(config);
  if (message.run_id === "") throw badRollout("run_id", "MISMATCH", "is empty");
  if (message.actor_id === "") throw badRollout("actor_id", "MISMATCH", "is empty");
  if (message.env_batch >= envBatches)
    throw badRollout("env_batch", "MISMATCH", `is ${message.env_batch}, the run has EnvBatches 0..${envBatches - 1}`);
  // An async run drops rollouts and so may collect more rounds than it trains on.
  if (config.policyLag !== "async" && message.round >= rounds)
    throw badRollout("round", "MISMATCH", `is ${message.round}, the run has rounds 0..${rounds - 1}`);
  if (message.policy === null) throw badRollout("policy", "MISMATCH", "is missing");
  if (!sha256Pattern.test(message.policy.digest))
    throw badRollout(
      "policy.digest",
      "MISMATCH",
      `is "${quoted(message.policy.digest, 80)}", expected 64 hexadecimal digits`,
    );
  return {
    runId: message.run_id,
    generation: message.generation,
    envBatch: message.env_batch,
    round: message.round,
    policyVersion: message.policy.version,
    policyDigest: message.policy.digest,
  };
}

/** They are summed up in the metrics, which one absurd value would spoil for good. */
const longestSeconds = 1e6;
const largestReturn = 1e30;

export function checkTiming(message: RolloutMessage): RolloutTiming {
  for (const field of ["environment_seconds", "inference_seconds", "total_seconds"] as const)
    if (!(message[field] >= 0 && message[field] <= longestSeconds))
      throw badRollout(field, "NUMERIC", `is ${message[field]}, expected seconds from 0 to ${longestSeconds}`);
  return {
    environmentSeconds: message.environment_seconds,
    inferenceSeconds: message.inference_seconds,
    totalSeconds: message.total_seconds,
  };
}

/** Throws NUMERIC or MISMATCH naming the wire field, the element and its value. Lengths were checked before. */
export function checkValues(rollout: Rollout, spec: EnvironmentSpec): void {
  checkFinite("observations", rollout.observations);
  checkFinite("actions", rollout.actions);
  checkFinite("log_probs", rollout.logProbs);
  checkFinite("values", rollout.values);
  checkFinite("next_values", rollout.nextValues);
  checkFinite("rewards", rollout.rewards);
  checkFinite("final_observations", rollout.finalObservations);
  checkFlags("stack_refilled", rollout.stackRefilled);
  checkFlags("terminated", rollout.terminated);
  checkFlags("truncated", rollout.truncated);
  if (spec.action.kind === "discrete") checkDiscrete(rollout.actions, spec.action.count);
  checkEnds(rollout);
  checkEpisodes(rollout.episodes, rollout.steps, rollout.batch);
}

function checkFinite(field: string, data: Uint8Array | Int32Array | Float32Array): void {
  if (!(data instanceof Float32Array)) return;
  for (let i = 0; i < data.length; i++)
    if (!Number.isFinite(data[i])) throw badRollout(field, "NUMERIC", `has ${data[i]} at element ${i}`);
}

function checkFlags(field: string, data: Uint8Array): void {
  for (let i = 0; i < data.length; i++)
    if (data[i]! > 1) throw badRollout(field, "NUMERIC", `has ${data[i]} at element ${i}, expected 0 or 1`);
}

function checkDiscrete(actions: Int32Array | Float32Array, count: number): void {
  for (let i = 0; i < actions.length; i++)
    if (actions[i]! < 0 || actions[i]! >= count)
      throw badRollout("actions", "NUMERIC", `has ${actions[i]} at element ${i}, expected 0..${count - 1}`);
}

/** final_indices are as Rollout.finalIndices says; no cell ends both ways; a terminal next value is 0. */
function checkEnds(rollout: Rollout): void {
  const { terminated, truncated, finalIndices, nextValues, stackRefilled } = rollout;
  let k = 0;
  for (let i = 0; i < truncated.length; i++) {
    if (terminated[i] && truncated[i])
      throw badRollout("truncated", "MISMATCH", `and terminated are both 1 at element ${i}`);
    if (terminated[i] && nextValues[i] !== 0)
      throw badRollout(
        "next_values",
        "MISMATCH",
        `has ${nextValues[i]} at element ${i}, which is terminal: expected 0`,
      );
    // stackRefilled [T-1, E] begins at step 1: its element i tells of the step after cell i
    const stackGoesOn = i < stackRefilled.length && !stackRefilled[i];
    if (!truncated[i] && !(terminated[i] && stackGoesOn)) continue;
    if (finalIndices[k] !== i)
      throw badRollout(
        "final_indices",
        "MISMATCH",
        `has ${finalIndices[k]} at ${k}, expected ${i}: ascending, the cells whose final observation travels`,
      );
    k++;
  }
  if (k !== finalIndices.length)
    throw badRollout("final_indices", "MISMATCH", `has ${finalIndices.length} elements for ${k} final observations`);
}

function checkEpisodes(episodes: readonly EpisodeEnd[], steps: number, batch: number): void {
  let previous = -1;
  for (const { step, environment, return: sum, length } of episodes) {
    const cell = step * batch + environment;
    if (step >= steps || environment >= batch || cell <= previous)
      throw badRollout("episodes", "MISMATCH", `has (step ${step}, environment ${environment}) out of range or order`);
    if (!(Math.abs(sum) <= largestReturn))
      throw badRollout("episodes", "NUMERIC", `has the return ${sum} at step ${step}`);
    if (length < 1) throw badRollout("episodes", "NUMERIC", `has the length ${length} at step ${step}`);
    previous = cell;
  }
}
