import { nativeOp } from "./nativeOp.ts";
import type { Activation } from "./networkSpec.ts";
import { type Tensor, tensorflow } from "./tensorflow.ts";

/** An activation y = a(h), elementwise, as TensorFlow's own operations. */
interface ActivationFunction {
  of(h: Tensor): Tensor;
  /** dL/dh from dL/dy. @param h where `needsInput` says so */
  gradient(y: Tensor, dy: Tensor, h?: Tensor): Tensor;
  /** Its derivative is not a function of y alone. */
  readonly needsInput?: true;
}

/** PyTorch's and ONNX's default. */
const leak = { alpha: { float: 0.01 } };

export const activations: Readonly<Record<Activation, ActivationFunction>> = {
  none: { of: (h) => h, gradient: (_y, dy) => dy },
  tanh: { of: (h) => nativeOp("Tanh", [h]), gradient: (y, dy) => nativeOp("TanhGrad", [y, dy]) },
  relu: { of: (h) => nativeOp("Relu", [h]), gradient: (y, dy) => nativeOp("ReluGrad", [dy, y]) },
  elu: { of: (h) => nativeOp("Elu", [h]), gradient: (y, dy) => nativeOp("EluGrad", [dy, y]) },
  leakyRelu: {
    of: (h) => nativeOp("LeakyRelu", [h], leak),
    gradient: (y, dy) => nativeOp("LeakyReluGrad", [dy, y], leak), // reads the sign, and y has that of h
  },
  silu: {
    needsInput: true,
    of: (h) => tensorflow().mul(h, nativeOp("Sigmoid", [h])),
    gradient(_y, dy, h) {
      const tf = tensorflow();
      const s = nativeOp("Sigmoid", [h!]);
      return tf.mul(dy, tf.mul(s, tf.add(1, tf.mul(h!, tf.sub(1, s))))); // (h s(h))' = s + h s (1 - s)
    },
  },
};
