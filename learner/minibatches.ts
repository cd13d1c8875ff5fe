import { shapeError } from "../shared/errors.ts";
import type { Minibatch } from "./update.ts";

/** What a minibatch is drawn from: sample-major arrays of a whole round, S samples. */
export interface Samples {
  readonly observations: Float32Array | Uint8Array; // [S, ...] normalised floats or uint8 stacks
  readonly actions: Int32Array | Float32Array; // [S] or [S, A]
  readonly logProbs: Float32Array; // [S]
  readonly advantages: Float32Array; // [S]
  readonly returns: Float32Array; // [S]
  readonly values: Float32Array; // [S]
  readonly klCoef?: Float32Array; // [] for all samples: passed on as it is
  readonly oldPolicy?: Float32Array; // [S, W]
  readonly tdErrors?: Float32Array; // [S]
  readonly referenceLogRatios?: Float32Array; // [S]
}

const perSample = [
  "observations",
  "actions",
  "logProbs",
  "advantages",
  "returns",
  "values",
  "oldPolicy",
  "tdErrors",
  "referenceLogRatios",
] as const satisfies readonly (keyof Minibatch)[];

type Rows = Float32Array | Int32Array | Uint8Array;

/** Copies shuffled samples side by side into one minibatch whose arrays are made once. */
export class MinibatchGatherer {
  readonly #samples: Samples;
  readonly #minibatch: Minibatch;
  readonly #size: number;

  /** @param samples the arrays to draw from: their contents may change between calls */
  constructor(samples: Samples, size: number) {
    const count = samples.logProbs.length;
    const like = <R extends Rows>(rows: R): R =>
      new (rows.constructor as new (length: number) => R)((rows.length / count) * size);
    for (const field of ["advantages", "returns", "values", "tdErrors", "referenceLogRatios"] as const)
      if (samples[field] !== undefined && samples[field].length !== count)
        throw shapeError(field, count, samples[field]);
    this.#samples = samples;
    this.#size = size;
    this.#minibatch = {
      observations: like(samples.observations),
      actions: like(samples.actions),
      logProbs: new Float32Array(size),
      advantages: new Float32Array(size),
      returns: new Float32Array(size),
      values: new Float32Array(size),
      ...(samples.klCoef && { klCoef: samples.klCoef }),
      ...(samples.oldPolicy && { oldPolicy: like(samples.oldPolicy) }),
      ...(samples.tdErrors && { tdErrors: new Float32Array(size) }),
      ...(samples.referenceLogRatios && { referenceLogRatios: new Float32Array(size) }),
    };
  }

  /** The samples indices[from .. from + M - 1]. Overwritten by the next call. */
  gather(indices: Int32Array, from: number): Minibatch {
    for (const field of perSample)
      if (this.#samples[field] !== undefined)
        copyRows(this.#samples[field], this.#minibatch[field]!, indices, from, this.#size);
    return this.#minibatch;
  }
}

/** A view and a memcpy cost more than so many single copies. */
const longRow = 64;

function copyRows(source: Rows, target: Rows, indices: Int32Array, from: number, size: number): void {
  const row = target.length / size;
  for (let i = 0; i < size; i++) {
    const start = indices[from + i]! * row;
    if (row >= longRow) target.set(source.subarray(start, start + row), i * row);
    else for (let j = 0; j < row; j++) target[i * row + j] = source[start + j]!;
  }
}
