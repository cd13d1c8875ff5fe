/**
 * x with A x = b for a symmetric positive definite A given by its products, by conjugate gradients (Hestenes & Stiefel
 * 1952) from 0, in float64. Ends after `iterations`, or once the squared residual is below `tolerance`.
 */
export function conjugateGradient(
  product: (v: Float64Array) => Float64Array,
  b: Float64Array,
  iterations: number,
  tolerance = 1e-10,
): Float64Array {
  const x = new Float64Array(b.length);
  const residual = b.slice();
  const direction = b.slice();
  let squared = dot(residual, residual);
  for (let i = 0; i < iterations && squared > tolerance; i++) {
    const image = product(direction);
    const step = squared / dot(direction, image);
    for (let j = 0; j < x.length; j++) {
      x[j] = x[j]! + step * direction[j]!;
      residual[j] = residual[j]! - step * image[j]!;
    }
    const next = dot(residual, residual);
    for (let j = 0; j < x.length; j++) direction[j] = residual[j]! + (next / squared) * direction[j]!;
    squared = next;
  }
  return x;
}

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
