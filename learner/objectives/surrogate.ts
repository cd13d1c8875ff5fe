import type { Objective } from "./objective.ts";

/** The surrogate r A (Kakade & Langford 2002), which TRPO maximises within its trust region (learner/trustRegion.ts). */
export const surrogate: Objective = {
  perSample: (tf, { excess, advantages }) => tf.mul(tf.add(1, excess), advantages),
};
