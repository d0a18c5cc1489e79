#include "dot.h"

#ifdef DOT_NEON
#include <arm_neon.h>

/* Four sums of four, because a multiply-add waits some cycles for the one before. */
float dot(const float* a, const float* b, size_t size) {
  float32x4_t sums[4];
  float lanes[4], sum;
  size_t i = 0;
  int k;
  for (k = 0; k < 4; ++k) sums[k] = vdupq_n_f32(0);
  for (; i + 16 <= size; i += 16) {
    for (k = 0; k < 4; ++k) {
      sums[k] = vmlaq_f32(sums[k], vld1q_f32(a + i + 4 * k), vld1q_f32(b + i + 4 * k));
    }
  }
  vst1q_f32(lanes, vaddq_f32(vaddq_f32(sums[0], sums[1]), vaddq_f32(sums[2], sums[3])));
  sum = lanes[0] + lanes[1] + lanes[2] + lanes[3];
  for (; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

#else

float dot(const float* a, const float* b, size_t size) {
  float sum = 0;
  size_t i;
  for (i = 0; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

#endif
