import type { Objective } from "./objective.ts";
import { clippedSurrogate } from "./ppo.ts";

/**
 * PAPO, absolute policy optimization in its proximal form (Zhao et al., ICML 2024, arXiv:2310.13230): raises a lower
 * bound of the return that holds with a probability, the mean less k standard deviations. With S PPO's clipped surrogate,
 * d the raw one-step TD errors, V the batch's values and KL the approximate KL:
 *   M  = omega1 mean(min((r - 1) d^2 + 2 r d omega2, (clip(r) - 1) d^2 + 2 clip(r) d omega2))
 *   J2 = S^2 + 2 mean(V) S, or 0 where S + mean(V) - 4 gamma KL max(A) / (1 - gamma)^2 < 0
 *   W  = omega1 (1 - gamma^2) / k mean(A^2 + 2 |A| V) - J2
 * and the objective, one number for the minibatch, is S - k (M + W).
 */
export const papo: Objective = {
  needs: ["tdErrors"],
  perSample(tf, samples, { clip, gamma, omega1, omega2, papoK: k }) {
    const { excess, advantages, values, approxKl } = samples;
    const d = samples.tdErrors!;
    const surrogate = tf.mean(clippedSurrogate(tf, samples, clip));
    const spread = (ratioMinusOne: typeof excess): typeof excess =>
      tf.add(tf.mul(ratioMinusOne, tf.square(d)), tf.mul(tf.mul(tf.add(1, ratioMinusOne), d), 2 * omega2));
    const m = tf.mul(omega1, tf.mean(tf.minimum(spread(excess), spread(tf.clipByValue(excess, -clip, clip)))));
    const meanValue = tf.mean(values);
    const divergence = tf.mul(tf.mul(approxKl, tf.max(advantages)), (4 * gamma) / (1 - gamma) ** 2);
    const bound = tf.sub(tf.add(surrogate, meanValue), divergence);
    const square = tf.add(tf.square(surrogate), tf.mul(tf.mul(2, meanValue), surrogate));
    const holds = tf.sub(1, tf.step(tf.neg(bound))); // 1 where bound >= 0; no gradient flows through the comparison
    const j2 = tf.mul(holds, square);
    const second = tf.mean(tf.add(tf.square(advantages), tf.mul(tf.mul(2, tf.abs(advantages)), values)));
    const w = tf.sub(tf.mul((omega1 * (1 - gamma ** 2)) / k, second), j2);
    return tf.sub(surrogate, tf.mul(k, tf.add(m, w)));
  },
  halfWidth: (tf, _advantages, { clip }) => tf.scalar(clip),
};
