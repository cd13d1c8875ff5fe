import { shapeError } from "../shared/errors.ts";
import type { GaeInput, GaeOutput } from "./gae.ts";

export interface VtraceInput extends GaeInput {
  readonly logRatios: Float32Array; // [T, B] ln pi(a|s) - ln mu(a|s): the policy that learns to the one that acted
}

export interface VtraceSettings {
  readonly gamma: number;
  readonly rhoBar: number; // bound of the weights rho = min(rhoBar, pi / mu)
  readonly cBar: number; // bound of the traces c = min(cBar, pi / mu)
}

/**
 * V-trace (Espeholt et al. 2018, arXiv:1802.01561, eq. 1): value targets `returns` and advantages, [T, B], corrected for
 * the policy's change since the actions were taken; summed in float64, from the last step back:
 *   v_t = V_t + rho_t delta_t + gamma c_t (v_{t+1} - V_{t+1}),   delta_t = r_t + gamma V'_t - V_t,
 *   A_t = r_t + gamma v_{t+1} - V_t, to be weighed by rho_t where the objective has no ratio of its own (importanceWeighted)
 * Where an episode or the rollout ends, v_{t+1} is V'_t, the value of the step's real next observation, and 0 where that
 * is terminal. The values are those of the policy that acted: V-trace's fixed point does not depend on them. Throws a
 * shape error naming the field and both lengths.
 */
export function vtrace(x: VtraceInput, { gamma, rhoBar, cBar }: VtraceSettings): GaeOutput {
  const { steps, batch } = x;
  for (const field of ["rewards", "values", "nextValues", "terminated", "truncated", "logRatios"] as const)
    if (x[field].length !== steps * batch) throw shapeError(field, steps * batch, x[field]);
  const advantages = new Float32Array(steps * batch);
  const returns = new Float32Array(steps * batch);
  for (let b = 0; b < batch; b++) {
    let excess = 0; // v_{t+1} - V_{t+1}
    for (let i = (steps - 1) * batch + b; i >= 0; i -= batch) {
      if (x.terminated[i] || x.truncated[i]) excess = 0;
      const ratio = Math.exp(x.logRatios[i]!);
      const rho = Math.min(rhoBar, ratio);
      const delta = x.rewards[i]! + gamma * (x.terminated[i] ? 0 : x.nextValues[i]!) - x.values[i]!;
      advantages[i] = delta + gamma * excess;
      excess = rho * delta + gamma * Math.min(cBar, ratio) * excess;
      returns[i] = x.values[i]! + excess;
    }
  }
  return { advantages, returns };
}

/**
 * rho_t A_t with rho = min(rhoBar, pi / mu), [T, B]; with `normalize` A to mean 0 and unbiased std 1 (+ 1e-8) over all of them
 * before. A mean b that is taken off rho A instead is a baseline without its weight: its part of the gradient, b E_mu[grad ln
 * pi], is 0 only on policy. Off policy it drives what the older policy did, and the new one has dropped, down for ever.
 */
export function importanceWeighted(
  { advantages, logRatios }: { readonly advantages: Float32Array; readonly logRatios: Float32Array },
  { rhoBar, normalize }: { readonly rhoBar: number; readonly normalize: boolean },
): Float32Array {
  const count = advantages.length;
  const mean = normalize ? advantages.reduce((sum, a) => sum + a, 0) / count : 0;
  const squares = advantages.reduce((sum, a) => sum + (a - mean) ** 2, 0);
  const scale = normalize ? 1 / (Math.sqrt(squares / (count - 1)) + 1e-8) : 1;
  return advantages.map((a, i) => Math.min(rhoBar, Math.exp(logRatios[i]!)) * (a - mean) * scale);
}
