/** Weights in the layouts of ONNX, which keeps images as planes [C, H, W], where TensorFlow has channels last. */

/** A convolution's weights [K * K, channels, filters] as [filters, channels, K * K]. @param rows K * K * channels */
export function inFilterOrder(weights: Float32Array, rows: number, filters: number, channels: number): Float32Array {
  const taps = rows / channels;
  const reordered = new Float32Array(weights.length);
  for (let tap = 0; tap < taps; tap++)
    for (let c = 0; c < channels; c++)
      for (let f = 0; f < filters; f++)
        reordered[(f * channels + c) * taps + tap] = weights[(tap * channels + c) * filters + f]!;
  return reordered;
}

/** A dense layer's weights, rows ordered (pixel, plane), with rows ordered (plane, pixel). */
export function inPlaneOrder(weights: Float32Array, planes: number, pixels: number, units: number): Float32Array {
  if (planes === 1) return weights;
  const reordered = new Float32Array(weights.length);
  for (let pixel = 0; pixel < pixels; pixel++)
    for (let plane = 0; plane < planes; plane++) {
      const row = (pixel * planes + plane) * units;
      reordered.set(weights.subarray(row, row + units), (plane * pixels + pixel) * units);
    }
  return reordered;
}

/** In float32, as TensorFlow multiplies. */
export function times(weights: Float32Array, scale: number): Float32Array {
  return scale === 1 ? weights : weights.map((weight) => weight * scale);
}
