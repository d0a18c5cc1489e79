/* Pooling along rows, within the image, and then down its columns into the output: what CMSIS-NN
 * does on a Cortex-M4. An average is divided twice therefore, cut towards zero each time. */
#include "sums.h"

/* The part of a window that lies in the image: from `first` up to `end`. */
typedef struct {
  int first, end;
} Span;

static Span span(int place, int stride, int padding, int kernel, int size) {
  const int from = place * stride - padding, to = from + kernel;
  const Span found = {from < 0 ? 0 : from, to > size ? size : to};
  return found;
}

static void larger(q7_t *best, const q7_t *other, int count) {
  for (int i = 0; i < count; ++i) {
    if (other[i] > best[i]) best[i] = other[i];
  }
}

/* Copied byte by byte from the front: `to` never lies behind `from`. */
static void copy(q7_t *to, const q7_t *from, int count) {
  for (int i = 0; i < count; ++i) to[i] = from[i];
}

BUILDMATRIX_POOLING(arm_maxpool_q7_HWC) {
  (void)bufferA;
  const int channels = ch_im_in, row = dim_im_in * channels, made = dim_im_out * channels;
  for (int y = 0; y < dim_im_in; ++y) {
    q7_t *const line = Im_in + y * row;
    for (int x = 0; x < dim_im_out; ++x) {
      const Span seen = span(x, stride, padding, dim_kernel, dim_im_in);
      copy(line + x * channels, line + seen.first * channels, channels);
      for (int i = seen.first + 1; i < seen.end; ++i) {
        larger(line + x * channels, line + i * channels, channels);
      }
    }
  }
  for (int y = 0; y < dim_im_out; ++y) {
    const Span seen = span(y, stride, padding, dim_kernel, dim_im_in);
    copy(Im_out + y * made, Im_in + seen.first * row, made);
    for (int i = seen.first + 1; i < seen.end; ++i) {
      larger(Im_out + y * made, Im_in + i * row, made);
    }
  }
}

static void mean(const q7_t *from, int apart, int count, q15_t *sums, int size, q7_t *to) {
  for (int i = 0; i < size; ++i) sums[i] = from[i];
  for (int n = 1; n < count; ++n) {
    for (int i = 0; i < size; ++i) sums[i] = (q15_t)(sums[i] + from[n * apart + i]);
  }
  for (int i = 0; i < size; ++i) to[i] = (q7_t)(sums[i] / count);
}

BUILDMATRIX_POOLING(arm_avepool_q7_HWC) {
  q15_t *const sums = (q15_t *)(void *)bufferA;
  const int channels = ch_im_in, row = dim_im_in * channels, made = dim_im_out * channels;
  for (int y = 0; y < dim_im_in; ++y) {
    q7_t *const line = Im_in + y * row;
    for (int x = 0; x < dim_im_out; ++x) {
      const Span seen = span(x, stride, padding, dim_kernel, dim_im_in);
      mean(line + seen.first * channels, channels, seen.end - seen.first, sums, channels,
           line + x * channels);
    }
  }
  for (int y = 0; y < dim_im_out; ++y) {
    const Span seen = span(y, stride, padding, dim_kernel, dim_im_in);
    mean(Im_in + seen.first * row, row, seen.end - seen.first, sums, made, Im_out + y * made);
  }
}
