/* What is computed of each value by itself, and softmax. */
#include "sums.h"

void arm_relu_q7(q7_t *data, uint16_t size) {
  for (unsigned i = 0; i < size; ++i) data[i] = data[i] < 0 ? 0 : data[i];
}

static unsigned limited(int value, int most) {
  return (unsigned)(value < 0 ? 0 : value > most ? most : value);
}

/* What is 8 or more below the largest counts as that; shifts of the sum end at 7. */
void arm_softmax_q7(const q7_t *vec_in, const uint16_t dim_vec, q7_t *p_out) {
  int base = -128;
  for (unsigned i = 0; i < dim_vec; ++i) {
    if (vec_in[i] > base) base = vec_in[i];
  }
  base -= 8;
  q31_t sum = 0;
  for (unsigned i = 0; i < dim_vec; ++i) sum += (q31_t)1 << limited(vec_in[i] - base, 7);
  const q31_t whole = ((q31_t)1 << 20) / sum;
  for (unsigned i = 0; i < dim_vec; ++i) {
    const q31_t share = whole >> limited(13 + base - vec_in[i], 31);
    p_out[i] = (q7_t)(share > 127 ? 127 : share);
  }
}
