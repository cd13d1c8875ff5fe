import type { Objective } from "./objective.ts";

/**
 * The policy gradient (Williams 1992; Sutton et al. 2000): ln pi(a|s) A, without a ratio, so for one pass over the
 * experience of the policy itself. A2C (Mnih et al. 2016, arXiv:1602.01783) takes generalized advantages for A, the plain
 * policy gradient discounted returns: shared/algorithms.ts says which.
 */
export const policyGradient: Objective = {
  perSample: (tf, { logProb, advantages }) => tf.mul(logProb, advantages),
};
