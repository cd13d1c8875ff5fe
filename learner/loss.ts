import type { Distribution } from "./networkSpec.ts";
import { objectives } from "./objectives/registry.ts";
import type { Tensor, TensorFlow } from "./tensorflow.ts";
import type { UpdateSettings } from "./update.ts";

/** What the network says about a minibatch. */
export interface PolicyOutput {
  readonly policy: Tensor; // [M, A] logits, or means
  readonly value: Tensor; // [M]
  readonly logStd: Tensor | null; // [A] of a gaussian policy
}

/** A Minibatch (update.ts) as tensors. */
export interface MinibatchTensors {
  readonly observations: Tensor; // float32 [M, ...input]; frames as 0..255
  readonly actions: Tensor; // int32 [M], or float32 [M, A]
  readonly logProbs: Tensor; // [M]
  readonly advantages: Tensor; // [M] not normalised
  readonly returns: Tensor; // [M]
  readonly values: Tensor; // [M]
}

/** Scalars. */
export interface LossTerms {
  readonly loss: Tensor;
  readonly policyLoss: Tensor;
  readonly valueLoss: Tensor;
  readonly entropy: Tensor;
  readonly approxKl: Tensor;
  readonly clipFraction: Tensor;
  readonly ratioMin: Tensor;
  readonly ratioMax: Tensor;
}

/** Beyond ln(float32 max) = 88 the ratio overflows and its gradients turn NaN; within ±20 no sample counts any more. */
const logRatioLimit = 20;
const halfLogTwoPi = 0.5 * Math.log(2 * Math.PI);

/**
 * The shared loss of every algorithm (ALGORITHMS, the shared update):
 *   policy loss + valueCoef * value loss - entropyCoef * entropy,   policy loss = -mean(objective(r, A))
 * with A normalised over the minibatch to mean 0 and unbiased std 1 (+ 1e-8) if the run says so.
 */
export function minibatchLoss(
  tf: TensorFlow,
  settings: UpdateSettings,
  output: PolicyOutput,
  batch: MinibatchTensors,
): LossTerms {
  const objective = objectives[settings.algo];
  const advantages = settings.normalizeAdvantages ? normalised(tf, batch.advantages) : batch.advantages;
  const { logProb, entropy } = distributionTerms(tf, settings.network.distribution, output, batch.actions);
  const logRatio = tf.sub(logProb, batch.logProbs);
  const excess = tf.expm1(tf.clipByValue(logRatio, -logRatioLimit, logRatioLimit)); // r - 1, exact near r = 1
  const policyLoss = tf.neg(tf.mean(objective.perSample(tf, excess, advantages, settings)));
  const valueLoss = clippedValueLoss(tf, output.value, batch, settings.valueClip);
  const withValue = tf.add(policyLoss, tf.mul(settings.valueCoef, valueLoss));
  const loss = settings.entropyCoef === 0 ? withValue : tf.sub(withValue, tf.mul(settings.entropyCoef, entropy));
  const outside = tf.greater(tf.abs(excess), objective.halfWidth(tf, advantages, settings));
  return {
    loss: loss.asScalar(),
    policyLoss,
    valueLoss,
    entropy,
    approxKl: tf.mean(tf.sub(excess, logRatio)),
    clipFraction: tf.mean(tf.cast(outside, "float32")),
    ratioMin: tf.add(1, tf.min(excess)),
    ratioMax: tf.add(1, tf.max(excess)),
  };
}

function normalised(tf: TensorFlow, advantages: Tensor): Tensor {
  const centred = tf.sub(advantages, tf.mean(advantages));
  const variance = tf.div(tf.sum(tf.square(centred)), advantages.size - 1);
  return tf.div(centred, tf.add(tf.sqrt(variance), 1e-8));
}

/** ln pi(a|s) of each sample, [M], and the mean entropy in nats, a scalar. */
function distributionTerms(
  tf: TensorFlow,
  distribution: Distribution,
  { policy, logStd }: PolicyOutput,
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

/** 0.5 mean(max((V - R)^2, (clip(V, V_old ± clip) - R)^2)); unclipped 0.5 mean((V - R)^2). */
function clippedValueLoss(tf: TensorFlow, value: Tensor, batch: MinibatchTensors, clip: number | null): Tensor {
  const error = tf.square(tf.sub(value, batch.returns));
  if (clip === null) return tf.mul(0.5, tf.mean(error));
  const near = tf.add(batch.values, tf.clipByValue(tf.sub(value, batch.values), -clip, clip));
  return tf.mul(0.5, tf.mean(tf.maximum(error, tf.square(tf.sub(near, batch.returns)))));
}
