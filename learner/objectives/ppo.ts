import type { Objective } from "./objective.ts";

/** PPO's clipped objective (Schulman et al. 2017, arXiv:1707.06347, eq. 7): min(r A, clip(r, 1 - eps, 1 + eps) A). */
export const ppo: Objective = {
  perSample(tf, excess, advantages, { clip }) {
    const surrogate = (ratioMinusOne: typeof excess): typeof excess => tf.mul(tf.add(1, ratioMinusOne), advantages);
    return tf.minimum(surrogate(excess), surrogate(tf.clipByValue(excess, -clip, clip)));
  },
  halfWidth: (tf, _advantages, { clip }) => tf.scalar(clip),
};
