import { OperatorError } from "../../shared/errors.ts";
import type { Objective } from "./objective.ts";

/**
 * ANO, Anchored Neighborhood Optimization (arXiv 2605.02320): PPO's hard clip replaced by a smooth, bounded, redescending
 * shaping function f of the ratio r, with f(1) = f'(1) = 1 and its maximum at 1 + eps:
 *
 *   f(r) = 1 + k (f0(x) - f0(-ln 2)),   k = eps / ln 2,   x = (r - 1) / k - ln 2,
 *   f0(x) = 45/16 (logsigmoid(2x) / 2 - 2 sigmoid(x))
 *
 * The objective of a sample is A f_pos(r) for A >= 0 and A (2 - f_neg(2 - r)) for A < 0. Both are
 * A (1 + k (f0(x) - f0(-ln 2))) if k is taken negative for A < 0.
 */

const scale = 45 / 16; // the largest slope, reached as r -> -inf
const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
const logSigmoid = (x: number): number => Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));
const f0 = (x: number): number => scale * (0.5 * logSigmoid(2 * x) - 2 * sigmoid(x));
const atOne = f0(-Math.LN2);

/**
 * The objective of one sample, and its derivative with respect to the ratio, in double precision. Both are finite:
 * they saturate at ±Number.MAX_VALUE. The derivative is bounded by 45/16 |advantage|.
 * @param ratio pi_new(a|s) / pi_old(a|s); any finite number
 * @param advantage any finite number
 * @param epsPos half-width of the neighbourhood where the advantage is not negative, > 0
 * @param epsNeg the same where it is negative, > 0
 * @throws OperatorError NUMERIC for a ratio or advantage that is not finite, CONFIG for an eps that is not positive
 */
export function anoObjective(
  ratio: number,
  advantage: number,
  epsPos: number,
  epsNeg: number,
): { value: number; derivative: number } {
  requireFinite("ratio", ratio);
  requireFinite("advantage", advantage);
  requirePositive("epsPos", epsPos);
  requirePositive("epsNeg", epsNeg);
  const k = (advantage >= 0 ? epsPos : -epsNeg) / Math.LN2;
  const x = (ratio - 1) / k - Math.LN2;
  const value = advantage === 0 ? 0 : advantage * (1 + k * (f0(x) - atOne));
  const slope = scale * (sigmoid(-2 * x) - 2 * sigmoid(x) * sigmoid(-x));
  return { value: saturated(value), derivative: saturated(advantage * slope) };
}

const saturated = (x: number): number => Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, x));

function requireFinite(name: string, value: number): void {
  if (!Number.isFinite(value))
    throw new OperatorError("NUMERIC", `anoObjective: ${name} is ${String(value)}.`, "Give a finite number.");
}

function requirePositive(name: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value)))
    throw new OperatorError("CONFIG", `anoObjective: ${name} is ${String(value)}.`, "Give a finite number above 0.");
}

/** The same on tensors, in float32. */
export const ano: Objective = {
  perSample(tf, { excess, advantages }, { epsPos, epsNeg }) {
    const k = tf.where(tf.greaterEqual(advantages, 0), tf.scalar(epsPos / Math.LN2), tf.scalar(-epsNeg / Math.LN2));
    const x = tf.sub(tf.div(excess, k), Math.LN2);
    // logsigmoid(z) = -softplus(-z); tfjs's own logSigmoid reads a disposed tensor in its gradient
    const shape = tf.sub(tf.mul(-0.5, tf.softplus(tf.mul(-2, x))), tf.mul(2, tf.sigmoid(x)));
    return tf.mul(advantages, tf.add(1, tf.mul(k, tf.sub(tf.mul(scale, shape), atOne))));
  },
  halfWidth: (tf, advantages, { epsPos, epsNeg }) =>
    tf.where(tf.greaterEqual(advantages, 0), tf.scalar(epsPos), tf.scalar(epsNeg)),
};
