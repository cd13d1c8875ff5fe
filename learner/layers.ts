import { activations } from "./activations.ts";
import { nativeOp } from "./nativeOp.ts";
import type { Activation } from "./networkSpec.ts";
import { type Tensor, tensorflow } from "./tensorflow.ts";

/**
 * Dense and convolutional layers as TensorFlow's own operations, forward and backward. tfjs's gradients are correct but
 * meant for eager use: its ReLU gradient holds constants as large as the minibatch, its matMul is a batched one that
 * nothing fuses with, its bias gradient a general sum. Traced into a graph these decide the speed of an update.
 */

/** Sum of squares of all elements, a scalar, in one pass. */
export function sumOfSquares(x: Tensor): Tensor {
  return tensorflow().mul(nativeOp("L2Loss", [x]), 2);
}

const biasAdd = (x: Tensor, bias: Tensor): Tensor => nativeOp("BiasAdd", [x, bias], { data_format: "NHWC" });
const biasGradient = (dh: Tensor): Tensor => nativeOp("BiasAddGrad", [dh], { data_format: "NHWC" });
const matMul = (a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor =>
  nativeOp("MatMul", [a, b], { transpose_a: transposeA, transpose_b: transposeB });

/** What sets a kind of layer apart from the others: its product of input and weight, and that product's two gradients. */
interface Product {
  of(x: Tensor, weight: Tensor): Tensor;
  inputGradient(x: Tensor, weight: Tensor, dh: Tensor): Tensor;
  weightGradient(x: Tensor, weight: Tensor, dh: Tensor): Tensor;
}

const matrixProduct: Product = {
  of: (x, weight) => matMul(x, weight, false, false),
  inputGradient: (_x, weight, dh) => matMul(dh, weight, false, true),
  weightGradient: (x, _weight, dh) => matMul(x, dh, true, false),
};

/**
 * The same for few output units, a head: TensorFlow's product of a transposed wide and a narrow matrix takes 0.42 ms at
 * [1024, 256]^T [1024, 6], its transpose 0.05.
 */
const narrowMatrixProduct: Product = {
  ...matrixProduct,
  weightGradient: (x, _weight, dh) => tensorflow().transpose(matMul(dh, x, true, false)),
};
const narrow = 16; // units

function convolutionProduct(stride: number): Product {
  const shapeOf = (t: Tensor): Tensor => tensorflow().tensor1d(t.shape, "int32");
  const attributes = {
    strides: [1, stride, stride, 1],
    padding: "VALID",
    data_format: "NHWC",
    dilations: [1, 1, 1, 1],
  };
  return {
    of: (x, weight) => nativeOp("Conv2D", [x, weight], attributes),
    inputGradient: (x, weight, dh) => nativeOp("Conv2DBackpropInput", [shapeOf(x), weight, dh], attributes),
    weightGradient: (x, weight, dh) => nativeOp("Conv2DBackpropFilter", [x, shapeOf(weight), dh], attributes),
  };
}

/**
 * The same for a large layer whose output width is a multiple of 512: rows 2 KB apart fall into the same cache sets while
 * TensorFlow packs them, and [512, 3136] [3136, 512] takes 28 ms. In four blocks of columns it takes 20.
 */
const blockedMatrixProduct: Product = {
  ...matrixProduct,
  of: (x, weight) => {
    const tf = tensorflow();
    const columns = tf.split(weight, columnBlocks, 1);
    return tf.concat(
      columns.map((block) => matMul(x, block, false, false)),
      1,
    );
  },
};
const columnBlocks = 4;

function productFor([inputs, units]: readonly number[]): Product {
  if (units! <= narrow) return narrowMatrixProduct;
  return inputs! >= 2048 && units! % 512 === 0 ? blockedMatrixProduct : matrixProduct;
}

export interface LayerInput {
  readonly x: Tensor;
  readonly isObservation: boolean; // nobody needs its gradient, so none is computed
}

/** activation(x W + b): x [M, I], weight [I, O], bias [O] -> [M, O]. */
export function dense(input: LayerInput, weight: Tensor, bias: Tensor, activation: Activation): Tensor {
  return layer(productFor(weight.shape), input, weight, bias, activation);
}

/** activation(conv(x, W) + b), "valid": x [M, H, W, C], weight [K, K, C, F], bias [F] -> [M, H', W', F]. */
export function convolution(
  input: LayerInput,
  weight: Tensor,
  bias: Tensor,
  stride: number,
  activation: Activation,
): Tensor {
  return layer(convolutionProduct(stride), input, weight, bias, activation);
}

/** A layer's output and how it moves when its input and parameters do: forward-mode differentiation. */
export interface Moving {
  readonly y: Tensor;
  readonly moved: Tensor; // dy/dt
}

/** dense or convolution (by `stride`) with inputs and parameters that move at the given rates. @param moved null: x stays */
export function movingLayer(
  x: { readonly y: Tensor; readonly moved: Tensor | null },
  [weight, bias]: readonly [Tensor, Tensor],
  [weightMoved, biasMoved]: readonly [Tensor, Tensor],
  stride: number | null,
  activation: Activation,
): Moving {
  const product = stride === null ? productFor(weight.shape) : convolutionProduct(stride);
  const h = biasAdd(product.of(x.y, weight), bias);
  const { of, gradient } = activations[activation];
  const y = of(h);
  const byParameters = biasAdd(product.of(x.y, weightMoved), biasMoved);
  const moved = x.moved === null ? byParameters : tensorflow().add(product.of(x.moved, weight), byParameters);
  return { y, moved: gradient(y, moved, h) }; // the activation's derivative, elementwise, is symmetric
}

function layer(product: Product, input: LayerInput, weight: Tensor, bias: Tensor, activation: Activation): Tensor {
  const tf = tensorflow();
  type Compute = Parameters<typeof tf.customGrad>[0];
  const compute: Compute = (...args) => {
    const save = args.at(-1) as unknown as (tensors: Tensor[]) => void;
    const { of, gradient, needsInput } = activations[activation];
    const h = biasAdd(product.of(input.x, weight), bias);
    const value = of(h);
    save([input.x, weight, value, ...(needsInput ? [h] : [])]);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor[] => {
      const [x, w, y, before] = saved as [Tensor, Tensor, Tensor, Tensor?];
      const dh = gradient(y, dy, before);
      const ofParameters = [product.weightGradient(x, w, dh), biasGradient(dh)];
      return input.isObservation ? ofParameters : [product.inputGradient(x, w, dh), ...ofParameters];
    };
    return { value, gradFunc };
  };
  return tf.customGrad(compute)(...(input.isObservation ? [] : [input.x]), weight, bias);
}
