import { shapeError } from "../shared/errors.ts";
import type { GaeInput } from "./gae.ts";

/**
 * Discounted returns without a critic, [T, B], summed in float64: G_t = r_t + gamma (1 - done_t) G_{t+1}, done meaning
 * terminated or truncated. Nothing is known of what lies beyond the rollout or a time limit, so the sum ends there.
 * Throws a shape error naming the field and both lengths.
 */
export function discountedReturns(
  x: Pick<GaeInput, "steps" | "batch" | "rewards" | "terminated" | "truncated">,
  gamma: number,
): Float32Array {
  const { steps, batch } = x;
  for (const field of ["rewards", "terminated", "truncated"] as const)
    if (x[field].length !== steps * batch) throw shapeError(field, steps * batch, x[field]);
  const returns = new Float32Array(steps * batch);
  for (let b = 0; b < batch; b++) {
    let carried = 0;
    for (let i = (steps - 1) * batch + b; i >= 0; i -= batch) {
      if (x.terminated[i] || x.truncated[i]) carried = 0;
      carried = x.rewards[i]! + gamma * carried;
      returns[i] = carried;
    }
  }
  return returns;
}
