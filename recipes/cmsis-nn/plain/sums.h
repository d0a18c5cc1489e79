/* How a sum of 32 bits begins and ends. */
#ifndef BUILDMATRIX_SUMS_H
#define BUILDMATRIX_SUMS_H

#include "arm_nnfunctions.h"

static inline q31_t begun(q7_t bias, uint16_t bias_shift, uint16_t out_shift) {
  return (q31_t)bias * ((q31_t)1 << bias_shift) + (((q31_t)1 << out_shift) >> 1);
}

/* An arithmetic shift, as every compiler for Arm makes of it. */
static inline q7_t ended(q31_t sum, uint16_t out_shift) {
  const q31_t whole = sum >> out_shift;
  return (q7_t)(whole > 127 ? 127 : whole < -128 ? -128 : whole);
}

static inline q31_t product(const q7_t *weights, const q15_t *values, unsigned count, q31_t sum) {
  for (unsigned i = 0; i < count; ++i) sum += (q31_t)weights[i] * values[i];
  return sum;
}

#endif
