import type { Tensor, TensorFlow } from "../tensorflow.ts";
import { ano } from "./ano.ts";
import type { Objective } from "./objective.ts";
import { ppo } from "./ppo.ts";

/**
 * An objective held to a reference policy (Shao et al. 2024, arXiv:2402.03300, eq. 3 and 4): less beta times the k3
 * estimate of KL(pi || pi_ref), exp(d) - 1 - d with d = ln pi_ref(a|s) - ln pi(a|s), which is never negative and needs
 * only the actions taken. beta is the run's referenceKlCoef.
 */
function heldToReference(free: Objective): Objective {
  return {
    ...free,
    needs: ["referenceLogRatios"],
    perSample: (tf, samples, settings) =>
      tf.sub(
        free.perSample(tf, samples, settings),
        tf.mul(settings.referenceKlCoef, k3(tf, samples.referenceLogRatio!)),
      ),
  };
}

/** [M] exp(d) - 1 - d, exact near 0. */
const k3 = (tf: TensorFlow, d: Tensor): Tensor => tf.sub(tf.expm1(d), d);

/** GRPO: PPO's clipped objective. Its advantages are group-relative: learner/groupAdvantages.ts. */
export const grpo = heldToReference(ppo);

/** GANO: ANO's. */
export const gano = heldToReference(ano);
