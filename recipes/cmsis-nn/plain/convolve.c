/* Convolutions: what the window sees of the image is laid out as a column of 16-bit values, which
 * every filter is multiplied with. */
#include "sums.h"

typedef struct {
  const q7_t *values;
  int size, channels; /* of the image */
  int kernel, top, left; /* of the window; it may begin and end outside of the image */
} Seen;

static void lay_out(Seen seen, q15_t *column) {
  for (int y = seen.top; y < seen.top + seen.kernel; ++y) {
    for (int x = seen.left; x < seen.left + seen.kernel; ++x) {
      const int there = y >= 0 && x >= 0 && y < seen.size && x < seen.size;
      const q7_t *pixel = seen.values + (there ? (y * seen.size + x) * seen.channels : 0);
      for (int c = 0; c < seen.channels; ++c) *column++ = there ? pixel[c] : 0;
    }
  }
}

BUILDMATRIX_CONVOLUTION(arm_convolve_HWC_q7_basic) {
  (void)bufferB;
  const unsigned length = (unsigned)ch_im_in * dim_kernel * dim_kernel;
  for (int y = 0; y < dim_im_out; ++y) {
    for (int x = 0; x < dim_im_out; ++x) {
      const Seen seen = {Im_in,      dim_im_in, ch_im_in, dim_kernel,
                         y * stride - padding, x * stride - padding};
      lay_out(seen, bufferA);
      for (unsigned filter = 0; filter < ch_im_out; ++filter) {
        const q31_t sum = product(wt + filter * length, bufferA, length,
                                  begun(bias[filter], bias_shift, out_shift));
        *Im_out++ = ended(sum, out_shift);
      }
    }
  }
  return ARM_CMSIS_NN_SUCCESS;
}

/* Whether the windows that CMSIS-NN's fast convolution takes for whole lie within the image, and it
 * goes through no rows that there are not. It checks neither, and reads or writes elsewhere. */
static int within(int size, int kernel, int padding, int stride, int made) {
  const int end = (made - padding - 1) * stride - padding + kernel;
  return padding <= made && (made <= 2 * padding || end <= size);
}

BUILDMATRIX_CONVOLUTION(arm_convolve_HWC_q7_fast) {
  if (ch_im_in % 4 || ch_im_out % 2) return ARM_CMSIS_NN_ARG_ERROR;
  if (!within(dim_im_in, dim_kernel, padding, stride, dim_im_out)) return ARM_CMSIS_NN_ARG_ERROR;
  return arm_convolve_HWC_q7_basic(Im_in, dim_im_in, ch_im_in, wt, ch_im_out, dim_kernel, padding,
                                   stride, bias, bias_shift, out_shift, Im_out, dim_im_out, bufferA,
                                   bufferB);
}

BUILDMATRIX_CONVOLUTION(arm_convolve_HWC_q7_RGB) {
  if (ch_im_in != 3) return ARM_CMSIS_NN_ARG_ERROR;
  return arm_convolve_HWC_q7_basic(Im_in, dim_im_in, ch_im_in, wt, ch_im_out, dim_kernel, padding,
                                   stride, bias, bias_shift, out_shift, Im_out, dim_im_out, bufferA,
                                   bufferB);
}
