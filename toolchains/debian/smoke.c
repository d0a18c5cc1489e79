/* NEON intrinsics, where the machine has them, and float calls give the right numbers. */
#include <stdio.h>

#ifdef __ARM_NEON
#include <arm_neon.h>

static float __attribute__((noinline)) dot(const float *a, const float *b, int n) {
  float32x4_t sum = vdupq_n_f32(0);
  for (int i = 0; i < n; i += 4) sum = vmlaq_f32(sum, vld1q_f32(a + i), vld1q_f32(b + i));
  float32x2_t half = vadd_f32(vget_low_f32(sum), vget_high_f32(sum));
  return vget_lane_f32(vpadd_f32(half, half), 0);
}
#else
static float __attribute__((noinline)) dot(const float *a, const float *b, int n) {
  float sum = 0;
  for (int i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}
#endif

int main(void) {
  float a[8] = {1, 2, 3, 4, 5, 6, 7, 8}, b[8] = {8, 7, 6, 5, 4, 3, 2, 1};
  float got = dot(a, b, 8);
  printf("C, dot product: %g\n", got);
  return got == 120.0f ? 0 : 1;
}
