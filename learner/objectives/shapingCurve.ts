import type { TensorFlow } from "../tensorflow.ts";
import type { Objective, ObjectiveSettings } from "./objective.ts";

/** An objective as a function of the ratio, at a fixed advantage. */
export interface ShapingCurve {
  readonly objective: Float32Array; // [R]
  readonly slope: Float32Array; // [R] its derivative with respect to the ratio: what weighs the sample's gradient
}

/**
 * What an objective makes of each ratio pi_new / pi_old, computed by the very tensors that train. For objectives that are
 * a mean over samples and need no extra inputs.
 * @param ratios [R], each above 0
 */
export function shapingCurve(
  tf: TensorFlow,
  objective: Objective,
  settings: ObjectiveSettings,
  ratios: Float32Array,
  advantage: number,
): ShapingCurve {
  return tf.tidy(() => {
    const advantages = tf.fill([ratios.length], advantage);
    const values = (excess: import("../tensorflow.ts").Tensor) => {
      const logRatio = tf.log(tf.add(1, excess));
      const zero = tf.scalar(0);
      return objective.perSample(
        tf,
        { excess, logRatio, logProb: logRatio, advantages, values: tf.zerosLike(excess), approxKl: zero },
        settings,
      );
    };
    const excess = tf.sub(tf.tensor1d(ratios), 1);
    return {
      objective: values(excess).dataSync<"float32">(),
      slope: tf.grad(values)(excess).dataSync<"float32">(),
    };
  });
}
