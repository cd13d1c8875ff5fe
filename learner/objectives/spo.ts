import type { Objective } from "./objective.ts";

/**
 * SPO, Simple Policy Optimization (Xie et al., ICML 2025, arXiv:2401.16025): r A - |A| (r - 1)^2 / (2 eps). A sample's
 * maximum lies at r = 1 + eps for A > 0 and at 1 - eps for A < 0, and no gradient vanishes beyond it.
 */
export const spo: Objective = {
  perSample(tf, { excess, advantages }, { clip }) {
    const penalty = tf.mul(tf.abs(advantages), tf.div(tf.square(excess), 2 * clip));
    return tf.sub(tf.mul(tf.add(1, excess), advantages), penalty);
  },
  halfWidth: (tf, _advantages, { clip }) => tf.scalar(clip),
};
