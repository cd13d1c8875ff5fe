import fc from "fast-check";

/**
 * Numbers spread evenly over [min, max), each an odd half of a 10,000th, so that none is a round limit. Of fc.double's,
 * which are spread over the floating-point exponents, nine in ten of an interval about 0 are below 1e-3.
 */
export function evenly(min: number, max: number): fc.Arbitrary<number> {
  return fc.integer({ min: Math.round(min * 1e4), max: Math.round(max * 1e4) - 1 }).map((n) => (n + 0.5) / 1e4);
}
