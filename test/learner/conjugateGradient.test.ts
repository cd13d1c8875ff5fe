import fc from "fast-check";
import { expect, it } from "vitest";
import { conjugateGradient, dot } from "../../learner/conjugateGradient.ts";

it("solves [[4, 1], [1, 3]] x = [1, 2] in two iterations: x = [1, 7] / 11", () => {
  const product = ([a, b]: Float64Array): Float64Array => Float64Array.of(4 * a! + b!, a! + 3 * b!);
  const x = conjugateGradient(product, Float64Array.of(1, 2), 2);
  expect([...x]).toEqual([expect.closeTo(1 / 11, 12), expect.closeTo(7 / 11, 12)]);
});

it("gives 0 for 0, and stops once the residual is gone", () => {
  let products = 0;
  const identity = (v: Float64Array): Float64Array => {
    products++;
    return v.slice();
  };
  expect([...conjugateGradient(identity, new Float64Array(3), 10)]).toEqual([0, 0, 0]);
  expect(products).toBe(0);
  expect([...conjugateGradient(identity, Float64Array.of(3, -1), 10)]).toEqual([3, -1]);
  expect(products).toBe(1);
});

it("comes nearer to the solution of any positive definite system with every iteration", () => {
  const positive = fc.array(fc.double({ min: 0.1, max: 10, noNaN: true }), { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(positive, (diagonal) => {
      const product = (v: Float64Array): Float64Array =>
        v.map(
          (x, i) =>
            diagonal[i]! * x +
            dot(
              v,
              v.map(() => 0.1),
            ),
        );
      const b = Float64Array.of(1, -2, 3, 0.5);
      const solution = conjugateGradient(product, b, 50);
      const errors = [1, 2, 3, 4].map((n) => {
        const off = conjugateGradient(product, b, n).map((x, i) => x - solution[i]!);
        return dot(off, product(off)); // the norm that conjugate gradients minimise
      });
      for (const i of [1, 2, 3]) expect(errors[i]!).toBeLessThanOrEqual(errors[i - 1]! * (1 + 1e-9) + 1e-18);
    }),
  );
});
