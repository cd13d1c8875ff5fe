// Sums in NumPy's order, so that rewards equal Gymnasium's to the last bit and not just to rounding.
#pragma once

namespace anchorage::mujoco {

// Sum of values[0..count) as numpy.sum adds up to 128 contiguous numbers: eight running sums, joined pairwise.
template <typename Number, typename Term>
Number numpySum(int count, Term term) {
  if (count < 8) {
    Number sum = 0;
    for (int i = 0; i < count; i++) sum += term(i);
    return sum;
  }
  Number r[8];
  for (int k = 0; k < 8; k++) r[k] = term(k);
  int i = 8;
  for (; i + 8 <= count; i += 8)
    for (int k = 0; k < 8; k++) r[k] += term(i + k);
  Number sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
  for (; i < count; i++) sum += term(i);
  return sum;
}

template <typename Number>
Number sumOfSquares(const Number* values, int count) {
  return numpySum<Number>(count, [values](int i) { return values[i] * values[i]; });
}

}  // namespace anchorage::mujoco
