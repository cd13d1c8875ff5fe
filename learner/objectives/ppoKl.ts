import type { Objective } from "./objective.ts";

/**
 * PPO with a KL penalty (Schulman et al. 2017, arXiv:1707.06347, eq. 8): r A - beta KL(pi_old || pi_new). The KL is that
 * of the two distributions, not an estimate from the actions taken; pi_old is the policy at the update's start, which at
 * policy lag 0 is the one that acted. beta is the run's klCoef.
 */
export const ppoKlFixed: Objective = {
  needs: ["klCoef", "oldPolicy"],
  perSample: (tf, { excess, advantages, klFromOld, klCoef }) =>
    tf.sub(tf.mul(tf.add(1, excess), advantages), tf.mul(klCoef!, klFromOld!)),
};

/**
 * The same with beta steered towards a mean KL d of desiredKl per update: halved where d < desiredKl / 1.5, doubled where
 * d > 1.5 desiredKl; kept within 1e±30, so that it never becomes a 0 or an infinity from which nothing leads back.
 */
export const ppoKlAdaptive: Objective = {
  ...ppoKlFixed,
  nextKlCoef(klCoef, meanKl, { desiredKl }) {
    if (meanKl < desiredKl / 1.5) return Math.max(klCoef / 2, 1e-30);
    return meanKl > desiredKl * 1.5 ? Math.min(klCoef * 2, 1e30) : klCoef;
  },
};
