import { normalFrom, philox, stream, uniformFrom } from "../shared/seeds.ts";
import { type NetworkSpec, type ParameterSpec, parameterSpecs } from "./networkSpec.ts";

/**
 * The parameters of policy version 0, a function of the run's seed: orthogonal or uniform weights, constant or uniform
 * biases, constant log-std. Element i of parameter p (its place in parameterSpecs) comes from the Philox block (key: seed;
 * counters: i, p, 0, stream.initialisation): uniform from its first two words, normal by Box-Muller from all four.
 */
export function initialWeights(network: NetworkSpec, seed: number): Record<string, Float32Array> {
  const specs = parameterSpecs(network);
  return Object.fromEntries(specs.map((spec, p) => [spec.name, initialParameter(spec, p, seed)]));
}

function initialParameter({ shape, initial }: ParameterSpec, place: number, seed: number): Float32Array {
  const length = shape.reduce((product, extent) => product * extent, 1);
  if (initial.kind === "constant") return new Float32Array(length).fill(initial.value);
  if (initial.kind === "uniform") {
    const uniform = (words: Uint32Array): number => initial.bound * (2 * uniformFrom(words[0]!, words[1]!) - 1);
    return Float32Array.from(drawn(length, place, seed, uniform));
  }
  const columns = shape.at(-1)!;
  const rows = length / columns; // a convolution's kernel counts as one matrix [K * K * in, filters]
  return orthogonal(rows, columns, initial.gain, drawn(length, place, seed, normal));
}

const normal = (words: Uint32Array): number =>
  normalFrom(uniformFrom(words[0]!, words[1]!), uniformFrom(words[2]!, words[3]!));

/** One number from each element's own block. */
function drawn(length: number, place: number, seed: number, of: (words: Uint32Array) => number): Float64Array {
  const words = new Uint32Array(4);
  const key = BigInt(seed);
  return Float64Array.from({ length }, (_, i) => {
    philox(key, i, place, 0, stream.initialisation, words);
    return of(words);
  });
}

/**
 * A matrix [rows, columns], row-major, whose shorter side's vectors are orthonormal, times gain: the Q of the QR
 * decomposition with a positive diagonal of R, so uniform over the orthogonal matrices (Saxe et al. 2014,
 * arXiv:1312.6120, as PyTorch's orthogonal_ does it). Modified Gram-Schmidt in float64, rounded once at the end.
 * @param gaussian rows * columns independent standard normals: the shorter side's vectors one after the other
 */
export function orthogonal(rows: number, columns: number, gain: number, gaussian: Float64Array): Float32Array {
  const count = Math.min(rows, columns);
  const length = Math.max(rows, columns);
  const vectors = Array.from({ length: count }, (_, v) => gaussian.slice(v * length, (v + 1) * length));
  for (let v = 0; v < count; v++) {
    const vector = vectors[v]!;
    for (let before = norm(vector), pass = 0; ; pass++) {
      for (let u = 0; u < v; u++) subtractProjection(vector, vectors[u]!);
      const after = norm(vector);
      // What cancellation leaves of a vector almost within the others' span is orthogonal only after another pass.
      if (pass > 0 || after > 0.5 * before) break;
      before = after;
    }
    const scale = 1 / norm(vector);
    for (let i = 0; i < length; i++) vector[i] = vector[i]! * scale;
  }
  const matrix = new Float32Array(rows * columns);
  for (let v = 0; v < count; v++)
    for (let i = 0; i < length; i++)
      matrix[rows >= columns ? i * columns + v : v * columns + i] = gain * vectors[v]![i]!;
  return matrix;
}

function dot(a: Float64Array, b: Float64Array): number {
  let even = 0;
  let odd = 0; // two sums: the additions wait less for each other
  const pairs = a.length & ~1;
  for (let i = 0; i < pairs; i += 2) {
    even += a[i]! * b[i]!;
    odd += a[i + 1]! * b[i + 1]!;
  }
  if (pairs < a.length) even += a[pairs]! * b[pairs]!;
  return even + odd;
}

function norm(a: Float64Array): number {
  return Math.sqrt(dot(a, a));
}

function subtractProjection(vector: Float64Array, unit: Float64Array): void {
  const along = dot(vector, unit);
  for (let i = 0; i < vector.length; i++) vector[i] = vector[i]! - along * unit[i]!;
}
