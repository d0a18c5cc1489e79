/* Fully connected layers, with their weights row by row or reordered. */
#include "sums.h"

static void widen(const q7_t *from, q15_t *to, unsigned count) {
  for (unsigned i = 0; i < count; ++i) to[i] = from[i];
}

static void rows(const q15_t *values, const q7_t *weights, unsigned length, unsigned from,
                 unsigned to, uint16_t bias_shift, uint16_t out_shift, const q7_t *bias,
                 q7_t *out) {
  for (unsigned row = from; row < to; ++row, weights += length) {
    const q31_t start = begun(bias[row], bias_shift, out_shift);
    out[row] = ended(product(weights, values, length, start), out_shift);
  }
}

BUILDMATRIX_FULLY_CONNECTED(arm_fully_connected_q7) {
  widen(pV, vec_buffer, dim_vec);
  rows(vec_buffer, pM, dim_vec, 0, num_of_rows, bias_shift, out_shift, bias, pOut);
  return ARM_CMSIS_NN_SUCCESS;
}

/* Four rows at a time. Of four columns 16 weights follow each other: columns 1 and 3 of rows 1 and
 * 2 in turn, the same of rows 3 and 4, then columns 2 and 4 likewise. */
static const q7_t *four_rows(const q15_t *values, const q7_t *weights, unsigned length,
                             q31_t sums[4]) {
  unsigned column = 0;
  for (; column + 4 <= length; column += 4) {
    for (unsigned first = 0; first < 2; ++first) {
      const q31_t one = values[column + first], other = values[column + first + 2];
      for (unsigned row = 0; row < 4; row += 2, weights += 4) {
        sums[row] += weights[0] * one + weights[2] * other;
        sums[row + 1] += weights[1] * one + weights[3] * other;
      }
    }
  }
  for (; column < length; ++column) {
    for (unsigned row = 0; row < 4; ++row) sums[row] += *weights++ * (q31_t)values[column];
  }
  return weights;
}

BUILDMATRIX_FULLY_CONNECTED(arm_fully_connected_q7_opt) {
  widen(pV, vec_buffer, dim_vec);
  unsigned row = 0;
  for (; row + 4 <= num_of_rows; row += 4) {
    q31_t sums[4];
    for (unsigned i = 0; i < 4; ++i) sums[i] = begun(bias[row + i], bias_shift, out_shift);
    pM = four_rows(vec_buffer, pM, dim_vec, sums);
    for (unsigned i = 0; i < 4; ++i) pOut[row + i] = ended(sums[i], out_shift);
  }
  rows(vec_buffer, pM, dim_vec, row, num_of_rows, bias_shift, out_shift, bias, pOut);
  return ARM_CMSIS_NN_SUCCESS;
}
