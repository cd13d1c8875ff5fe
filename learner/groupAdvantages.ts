import { shapeError } from "../shared/errors.ts";
import type { GaeInput } from "./gae.ts";

export interface GroupOutput {
  readonly advantages: Float32Array; // [T, B]
  readonly returns: Float32Array; // [T, B] its column's R at every step
  readonly flat: number; // share of the groups whose returns are all equal: they teach nothing
  readonly used: number; // share of the steps that belong to their column's first episode
}

/**
 * Group-relative advantages (Shao et al. 2024, arXiv:2402.03300, section 4.1.2), [T, B], in float64 and rounded once.
 * Columns g G .. g G + G - 1 are a group: they began in the same state. With R_i the discounted sum of column i's rewards up to
 * its first end (terminated or truncated) or the rollout's:
 *   A_i = (R_i - mean R) / (std R + 1e-8),   mean and unbiased std over the group,
 * for every step of that first episode, and 0 for the steps after it: they are of episodes from other starts. Throws a
 * shape error naming the field and both lengths.
 */
export function groupAdvantages(
  x: Pick<GaeInput, "steps" | "batch" | "rewards" | "terminated" | "truncated">,
  gamma: number,
  groupSize: number,
): GroupOutput {
  const { steps, batch } = x;
  for (const field of ["rewards", "terminated", "truncated"] as const)
    if (x[field].length !== steps * batch) throw shapeError(field, steps * batch, x[field]);
  if (batch % groupSize !== 0) throw shapeError("the last group", groupSize, { length: batch % groupSize });
  const advantages = new Float32Array(steps * batch);
  const returns = new Float32Array(steps * batch);
  let [flat, used] = [0, 0];
  for (let first = 0; first < batch; first += groupSize) {
    const members = Array.from({ length: groupSize }, (_, i) => firstEpisode(x, gamma, first + i));
    const relative = standardised(members.map((member) => member.return));
    if (relative.every((advantage) => advantage === 0)) flat += groupSize;
    members.forEach((member, i) => {
      const column = first + i;
      used += member.length;
      for (let t = 0; t < steps; t++) returns[t * batch + column] = member.return;
      for (let t = 0; t < member.length; t++) advantages[t * batch + column] = relative[i]!;
    });
  }
  return { advantages, returns, flat: flat / batch, used: used / (steps * batch) };
}

/** A column's discounted return and length up to its first end. */
function firstEpisode(
  {
    steps,
    batch,
    rewards,
    terminated,
    truncated,
  }: Pick<GaeInput, "steps" | "batch" | "rewards" | "terminated" | "truncated">,
  gamma: number,
  column: number,
): { return: number; length: number } {
  let [sum, discount, t] = [0, 1, 0];
  for (let ended = false; t < steps && !ended; t++) {
    const i = t * batch + column;
    sum += discount * rewards[i]!;
    discount *= gamma;
    ended = terminated[i] === 1 || truncated[i] === 1;
  }
  return { return: sum, length: t };
}

/** From the first one on, so that equal returns give exactly 0 whatever their size. */
function standardised(returns: readonly number[]): number[] {
  const above = returns.map((value) => value - returns[0]!);
  const mean = above.reduce((sum, value) => sum + value, 0) / above.length;
  const squares = above.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const std = Math.sqrt(squares / (above.length - 1));
  return above.map((value) => (value - mean) / (std + 1e-8));
}
