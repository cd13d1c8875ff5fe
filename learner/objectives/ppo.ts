import type { Tensor, TensorFlow } from "../tensorflow.ts";
import type { Objective, SampleTensors } from "./objective.ts";

/** PPO's clipped objective (Schulman et al. 2017, arXiv:1707.06347, eq. 7): min(r A, clip(r, 1 - eps, 1 + eps) A). */
export const ppo: Objective = {
  perSample: (tf, samples, { clip }) => clippedSurrogate(tf, samples, clip),
  halfWidth: (tf, _advantages, { clip }) => tf.scalar(clip),
};

/** min(r A, clip(r, 1 - eps, 1 + eps) A) of each sample, [M]. */
export function clippedSurrogate(
  tf: TensorFlow,
  { excess, advantages }: Pick<SampleTensors, "excess" | "advantages">,
  eps: number,
): Tensor {
  const surrogate = (ratioMinusOne: Tensor): Tensor => tf.mul(tf.add(1, ratioMinusOne), advantages);
  return tf.minimum(surrogate(excess), surrogate(tf.clipByValue(excess, -eps, eps)));
}
