import { traitsOf } from "../shared/algorithms.ts";
import { OperatorError } from "../shared/errors.ts";
import { distributionTerms, klFrom } from "./distribution.ts";
import type { SampleTensors } from "./objectives/objective.ts";
import { objectiveOf } from "./objectives/ownObjective.ts";
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
  readonly klCoef?: Tensor; // scalar
  readonly oldPolicy?: Tensor; // [M, W]
  readonly tdErrors?: Tensor; // [M]
  readonly referenceLogRatios?: Tensor; // [M]
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
export const clampedLogRatio = (tf: TensorFlow, logRatio: Tensor): Tensor =>
  tf.clipByValue(logRatio, -logRatioLimit, logRatioLimit);

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
  const objective = objectiveOf(settings);
  const advantages = settings.normalizeAdvantages ? normalised(tf, batch.advantages) : batch.advantages;
  const { distribution } = settings.network;
  const { logProb, entropy } = distributionTerms(tf, distribution, output, batch.actions);
  const logRatio = tf.sub(logProb, batch.logProbs);
  const clamped = clampedLogRatio(tf, logRatio);
  const excess = tf.expm1(clamped); // r - 1, exact near r = 1
  const approxKl = tf.mean(tf.sub(excess, logRatio));
  const samples: SampleTensors = {
    excess,
    logRatio: clamped,
    logProb,
    advantages,
    values: batch.values,
    approxKl,
    ...(batch.klCoef && { klCoef: batch.klCoef }),
    ...(batch.oldPolicy && { klFromOld: klFrom(tf, distribution, batch.oldPolicy, output) }),
    ...(batch.tdErrors && { tdErrors: batch.tdErrors }),
    ...(batch.referenceLogRatios && {
      referenceLogRatio: clampedLogRatio(tf, tf.sub(batch.referenceLogRatios, logRatio)),
    }),
  };
  const policyLoss = tf.neg(tf.mean(checked(objective.perSample(tf, samples, settings), settings)));
  const valueLoss = clippedValueLoss(tf, output.value, batch, settings.valueClip);
  const weighted = tf.mul(settings.valueCoef, valueLoss);
  const withValue = trainsCriticOnly(settings) ? weighted : tf.add(policyLoss, weighted);
  const loss = settings.entropyCoef === 0 ? withValue : tf.sub(withValue, tf.mul(settings.entropyCoef, entropy));
  const halfWidth = objective.halfWidth?.(tf, advantages, settings) ?? tf.scalar(Number.POSITIVE_INFINITY);
  const outside = tf.greater(tf.abs(excess), halfWidth);
  return {
    loss: loss.asScalar(),
    policyLoss,
    valueLoss,
    entropy,
    approxKl,
    clipFraction: tf.mean(tf.cast(outside, "float32")),
    ratioMin: tf.add(1, tf.min(excess)),
    ratioMax: tf.add(1, tf.max(excess)),
  };
}

/** Where the policy is learned by steps of its own (trustRegion.ts), minibatches are the critic's. */
export function trainsCriticOnly({ algo }: Pick<UpdateSettings, "algo">): boolean {
  return traitsOf(algo).policyStep === "trustRegion";
}

/** A user's objective may give anything. */
function checked(each: Tensor, { algo, minibatchSize }: UpdateSettings): Tensor {
  const { shape } = each ?? {};
  if (shape && (shape.length === 0 || (shape.length === 1 && shape[0] === minibatchSize))) return each;
  const got = shape ? `a tensor of shape [${shape.join(", ")}]` : String(each);
  throw new OperatorError(
    "CONFIG",
    `perSample of the objective ${algo} gave ${got}, expected [${minibatchSize}] or a scalar.`,
    "Give one number per sample of the minibatch, to be maximised in its mean.",
  );
}

function normalised(tf: TensorFlow, advantages: Tensor): Tensor {
  const centred = tf.sub(advantages, tf.mean(advantages));
  const variance = tf.div(tf.sum(tf.square(centred)), advantages.size - 1);
  return tf.div(centred, tf.add(tf.sqrt(variance), 1e-8));
}

/** 0.5 mean(max((V - R)^2, (clip(V, V_old ± clip) - R)^2)); unclipped 0.5 mean((V - R)^2). */
function clippedValueLoss(tf: TensorFlow, value: Tensor, batch: MinibatchTensors, clip: number | null): Tensor {
  const error = tf.square(tf.sub(value, batch.returns));
  if (clip === null) return tf.mul(0.5, tf.mean(error));
  const near = tf.add(batch.values, tf.clipByValue(tf.sub(value, batch.values), -clip, clip));
  return tf.mul(0.5, tf.mean(tf.maximum(error, tf.square(tf.sub(near, batch.returns)))));
}
