import type { Distribution } from "./networkSpec.ts";
import type { Tensor, TensorFlow } from "./tensorflow.ts";

/** What the actor's head says about a minibatch. */
export interface PolicyTensors {
  readonly policy: Tensor; // [M, A] logits, or means
  readonly logStd: Tensor | null; // [A] of a gaussian policy
}

const halfLogTwoPi = 0.5 * Math.log(2 * Math.PI);

/** Numbers per sample that say what a distribution is: A logits, or A means and A log standard deviations. */
export function distributionWidth({ kind, actions }: Distribution): number {
  return kind === "categorical" ? actions : 2 * actions;
}

/** ln pi(a|s) of each sample, [M], and the mean entropy in nats, a scalar. */
export function distributionTerms(
  tf: TensorFlow,
  distribution: Distribution,
  { policy, logStd }: PolicyTensors,
  actions: Tensor,
): { logProb: Tensor; entropy: Tensor } {
  if (distribution.kind === "categorical") {
    const logProbs = tf.logSoftmax(policy as Parameters<typeof tf.logSoftmax>[0]);
    const chosen = tf.oneHot(actions as Parameters<typeof tf.oneHot>[0], distribution.actions, 1, 0, "float32");
    return {
      logProb: tf.sum(tf.mul(logProbs, chosen), 1),
      entropy: tf.neg(tf.mean(tf.sum(tf.mul(tf.exp(logProbs), logProbs), 1))),
    };
  }
  if (!logStd) throw new Error("a gaussian policy needs its log_std");
  const sumLogStd = tf.sum(logStd);
  const standardised = tf.mul(tf.sub(actions, policy), tf.exp(tf.neg(logStd)));
  const logDensityAtMean = tf.neg(tf.add(sumLogStd, distribution.actions * halfLogTwoPi));
  return {
    logProb: tf.sub(logDensityAtMean, tf.mul(0.5, tf.sum(tf.square(standardised), 1))),
    entropy: tf.add(sumLogStd, distribution.actions * (halfLogTwoPi + 0.5)),
  };
}

/** The distribution of each sample as rows [M, W]: logits, or means and log standard deviations side by side. */
export function distributionRows(
  tf: TensorFlow,
  distribution: Distribution,
  { policy, logStd }: PolicyTensors,
): Tensor {
  if (distribution.kind === "categorical") return policy;
  const rows = tf.add(tf.zerosLike(policy), logStd!);
  return tf.concat([policy, rows], 1);
}

/**
 * KL(pi_old || pi_new) of each sample, [M], exact; gradients flow to the new policy.
 * Gaussian, per action: with u = ln sigma_old - ln sigma_new: (e^(2u) - 1) / 2 - u + ((mu_old - mu_new) / sigma_new)^2 / 2.
 * @param old rows as distributionRows gives them, [M, W]
 */
export function klFrom(tf: TensorFlow, distribution: Distribution, old: Tensor, now: PolicyTensors): Tensor {
  if (distribution.kind === "categorical") {
    const [oldLogProbs, newLogProbs] = [old, now.policy].map((logits) =>
      tf.logSoftmax(logits as Parameters<typeof tf.logSoftmax>[0]),
    ) as [Tensor, Tensor];
    return tf.sum(tf.mul(tf.exp(oldLogProbs), tf.sub(oldLogProbs, newLogProbs)), 1);
  }
  const [oldMean, oldLogStd] = tf.split(old, 2, 1) as [Tensor, Tensor];
  const logRatio = tf.sub(oldLogStd, now.logStd!);
  const distance = tf.mul(tf.sub(oldMean, now.policy), tf.exp(tf.neg(now.logStd!)));
  const each = tf.add(tf.sub(tf.mul(0.5, tf.expm1(tf.mul(2, logRatio))), logRatio), tf.mul(0.5, tf.square(distance)));
  return tf.sum(each, 1);
}
