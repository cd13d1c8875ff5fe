import { describe, expect, it } from "vitest";
import { activations } from "../../learner/activations.ts";
import { dense, movingLayer } from "../../learner/layers.ts";
import { loadTensorFlow, type Tensor } from "../../learner/tensorflow.ts";
import { categoricalNetwork, numberSource } from "./updateCases.ts";

const network = categoricalNetwork(4, [4], 2);
const tf = loadTensorFlow({ device: "cpu", onednn: "off", threads: 1, network });

/** The same in tfjs's own words, with tfjs's own gradients. */
const reference = {
  none: (h: Tensor) => tf.mul(h, 1),
  tanh: (h: Tensor) => tf.tanh(h),
  relu: (h: Tensor) => tf.relu(h),
  elu: (h: Tensor) => tf.elu(h),
  leakyRelu: (h: Tensor) => tf.maximum(h, tf.mul(h, 0.01)),
  silu: (h: Tensor) => tf.mul(h, tf.sigmoid(h)),
} as const;

const { normal } = numberSource(3);
const numbers = (...shape: number[]): Tensor =>
  tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 1.5 * normal()),
    shape,
  );
const [x, w, b] = [numbers(7, 5), numbers(5, 20), numbers(20)];
const [dx, dw, db] = [numbers(7, 5), numbers(5, 20), numbers(20)];

function expectClose(got: Tensor, want: Tensor): void {
  expect(got.shape).toEqual(want.shape);
  expect(tf.max(tf.abs(tf.sub(got, want))).dataSync()[0]).toBeLessThan(1e-5);
  expect(tf.max(tf.abs(want)).dataSync()[0]).toBeGreaterThan(0.1);
}

describe.each(Object.keys(activations) as (keyof typeof activations)[])("a dense layer with %s", (activation) => {
  const ours = (...[x, w, b]: Tensor[]): Tensor => dense({ x: x!, isObservation: false }, w!, b!, activation);
  const theirs = (...[x, w, b]: Tensor[]): Tensor => reference[activation](tf.add(tf.matMul(x!, w!), b!));

  it("gives tfjs's numbers, and its gradients of input, weight and bias", () => {
    expectClose(ours(x, w, b), theirs(x, w, b));
    const weigh = numbers(7, 20);
    const of = (layer: typeof ours) =>
      tf.grads((...given: Tensor[]) => tf.sum(tf.mul(layer(...given), weigh)))([x, w, b]);
    const wanted = of(theirs);
    of(ours).forEach((gradient, i) => {
      expectClose(gradient, wanted[i]!);
    });
  });

  it("moves as its gradients say: u' (J v) = (u' J) v", () => {
    const { y, moved } = movingLayer({ y: x, moved: dx }, [w, b], [dw, db], null, activation);
    expectClose(y, theirs(x, w, b));
    const u = numbers(7, 20);
    const gradients = tf.grads((...given: Tensor[]) => tf.sum(tf.mul(theirs(...given), u)))([x, w, b]);
    const along = [dx, dw, db].reduce((sum, d, i) => sum + tf.sum(tf.mul(d, gradients[i]!)).dataSync()[0]!, 0);
    expect(tf.sum(tf.mul(u, moved)).dataSync()[0]! / along).toBeCloseTo(1, 4);
  });
});
