import { shapeError } from "../shared/errors.ts";

/** Mean and population variance of everything folded in so far, per dimension, float64. */
export interface Moments {
  readonly count: number; // samples, and 1e-4 of the start
  readonly mean: Float64Array; // [D]
  readonly variance: Float64Array; // [D]
}

/** gym's RunningMeanStd begins with 1e-4 samples of mean 0 and variance 1, and so do we. */
export function initialMoments(dimensions: number): Moments {
  return { count: 1e-4, mean: new Float64Array(dimensions), variance: new Float64Array(dimensions).fill(1) };
}

/**
 * `moments` with a batch of B samples folded in at once, as gym's RunningMeanStd does (Chan, Golub & LeVeque 1979):
 *   δ = mean_B − mean;  mean += δ B / n;  var = (var c + var_B B + δ² c B / n) / n  with c the old count, n = c + B.
 * The batch's own moments are two-pass, summed in float64 in the samples' order: that order is part of the result.
 * @param samples [B, D] flat, sample-major
 */
export function foldBatch(moments: Moments, samples: Float32Array | Float64Array): Moments {
  const dimensions = moments.mean.length;
  const batch = samples.length / dimensions;
  if (!Number.isInteger(batch) || batch === 0)
    throw shapeError("samples", dimensions * Math.max(1, Math.round(batch)), samples);
  const batchMean = new Float64Array(dimensions);
  for (let i = 0; i < samples.length; )
    for (let d = 0; d < dimensions; d++, i++) batchMean[d] = batchMean[d]! + samples[i]!;
  for (let d = 0; d < dimensions; d++) batchMean[d] = batchMean[d]! / batch;
  const squares = new Float64Array(dimensions);
  for (let i = 0; i < samples.length; )
    for (let d = 0; d < dimensions; d++, i++) {
      const deviation = samples[i]! - batchMean[d]!;
      squares[d] = squares[d]! + deviation * deviation;
    }
  const { count } = moments;
  const total = count + batch;
  const mean = new Float64Array(dimensions);
  const variance = new Float64Array(dimensions);
  for (let d = 0; d < dimensions; d++) {
    const delta = batchMean[d]! - moments.mean[d]!;
    mean[d] = moments.mean[d]! + (delta * batch) / total;
    variance[d] = (moments.variance[d]! * count + squares[d]! + (delta * delta * count * batch) / total) / total;
  }
  return { count: total, mean, variance };
}

/** Mean and variance both finite everywhere. */
export function areFinite({ mean, variance }: Moments): boolean {
  return mean.every(Number.isFinite) && variance.every(Number.isFinite);
}
