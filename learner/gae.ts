import { shapeError } from "../shared/errors.ts";

/** T steps of B environments. Flat and time-major: element (t, b) is at index t * B + b. */
export interface GaeInput {
  readonly steps: number; // T
  readonly batch: number; // B
  readonly rewards: Float32Array; // [T, B] as the learner sees them, after scaling and clipping
  readonly values: Float32Array; // [T, B] V(s_t)
  readonly nextValues: Float32Array; // [T, B] V of the step's real next observation, the final one where an episode ended
  readonly terminated: Uint8Array; // [T, B] 1: that next observation is terminal and worth 0
  readonly truncated: Uint8Array; // [T, B] 1: cut off by a limit; bootstraps, then another episode begins
}

export interface GaeOutput {
  readonly advantages: Float32Array; // [T, B]
  readonly returns: Float32Array; // [T, B] value targets
}

/**
 * Generalized advantages and value targets, [T, B], in reward units, not normalized; summed in float64.
 *   δ_t = r_t + γ (1 − terminated_t) V'_t − V_t;   A_t = δ_t + γ λ (1 − done_t) A_{t+1};   R_t = A_t + V_t
 * Schulman et al. 2016, arXiv:1506.02438, eq. 16. Throws a shape error naming the field and both lengths.
 */
export function generalizedAdvantages(x: GaeInput, gamma: number, lambda: number): GaeOutput {
  const { steps, batch } = x;
  for (const field of ["rewards", "values", "nextValues", "terminated", "truncated"] as const)
    if (x[field].length !== steps * batch) throw shapeError(field, steps * batch, x[field]);
  const advantages = new Float32Array(steps * batch);
  const returns = new Float32Array(steps * batch);
  for (let b = 0; b < batch; b++) {
    let carried = 0;
    for (let i = (steps - 1) * batch + b; i >= 0; i -= batch) {
      const bootstrap = x.terminated[i] ? 0 : x.nextValues[i]!;
      if (x.terminated[i] || x.truncated[i]) carried = 0;
      carried = x.rewards[i]! + gamma * bootstrap - x.values[i]! + gamma * lambda * carried;
      advantages[i] = carried;
      returns[i] = carried + x.values[i]!;
    }
  }
  return { advantages, returns };
}

/** One-step TD errors δ_t = r_t + γ (1 − terminated_t) V'_t − V_t, [T, B]. */
export function temporalDifferences(x: GaeInput, gamma: number): Float32Array {
  return Float32Array.from(
    x.rewards,
    (reward, i) => reward + gamma * (x.terminated[i] ? 0 : x.nextValues[i]!) - x.values[i]!,
  );
}
