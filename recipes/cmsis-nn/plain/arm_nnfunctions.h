/* The functions of CMSIS-NN that a network in q7 calls, by the names and with the arguments that
 * CMSIS 5.9.0 gives them (CMSIS/NN/Include/arm_nnfunctions.h). The code behind them is ours, in
 * plain C, and computes the same bits as theirs does on a Cortex-M4 and M7.
 *
 * Images are square and have their channels last. Sums are of 32 bits: a bias times 2^bias_shift,
 * the products, and half of what is shifted out; shifted right by out_shift and saturated. */
#ifndef BUILDMATRIX_ARM_NNFUNCTIONS_H
#define BUILDMATRIX_ARM_NNFUNCTIONS_H

#include <stddef.h>
#include <stdint.h>

typedef int8_t q7_t;
typedef int16_t q15_t;
typedef int32_t q31_t;

typedef enum { ARM_CMSIS_NN_SUCCESS = 0, ARM_CMSIS_NN_ARG_ERROR = -1 } arm_cmsis_nn_status;

/* Weights by output, row, column and input channel. bufferA: two columns of ch_im_in * dim_kernel *
 * dim_kernel values, of which this code uses one; bufferB is not used. */
#define BUILDMATRIX_CONVOLUTION(name)                                                              \
  arm_cmsis_nn_status name(const q7_t *Im_in, const uint16_t dim_im_in, const uint16_t ch_im_in,   \
                           const q7_t *wt, const uint16_t ch_im_out, const uint16_t dim_kernel,    \
                           const uint16_t padding, const uint16_t stride, const q7_t *bias,        \
                           const uint16_t bias_shift, const uint16_t out_shift, q7_t *Im_out,      \
                           const uint16_t dim_im_out, q15_t *bufferA, q7_t *bufferB)

BUILDMATRIX_CONVOLUTION(arm_convolve_HWC_q7_basic);
BUILDMATRIX_CONVOLUTION(arm_convolve_HWC_q7_fast); /* ch_im_in by fours, ch_im_out by twos */
BUILDMATRIX_CONVOLUTION(arm_convolve_HWC_q7_RGB);  /* ch_im_in is 3 */

/* vec_buffer: dim_vec values. The second takes its weights reordered, see its documentation. */
#define BUILDMATRIX_FULLY_CONNECTED(name)                                                          \
  arm_cmsis_nn_status name(const q7_t *pV, const q7_t *pM, const uint16_t dim_vec,                 \
                           const uint16_t num_of_rows, const uint16_t bias_shift,                  \
                           const uint16_t out_shift, const q7_t *bias, q7_t *pOut,                 \
                           q15_t *vec_buffer)

BUILDMATRIX_FULLY_CONNECTED(arm_fully_connected_q7);
BUILDMATRIX_FULLY_CONNECTED(arm_fully_connected_q7_opt);

/* Along rows, then down columns; the input is destroyed. bufferA: of the average dim_im_out *
 * ch_im_in values of 16 bits. */
#define BUILDMATRIX_POOLING(name)                                                                  \
  void name(q7_t *Im_in, const uint16_t dim_im_in, const uint16_t ch_im_in,                        \
            const uint16_t dim_kernel, const uint16_t padding, const uint16_t stride,              \
            const uint16_t dim_im_out, q7_t *bufferA, q7_t *Im_out)

BUILDMATRIX_POOLING(arm_maxpool_q7_HWC);
BUILDMATRIX_POOLING(arm_avepool_q7_HWC);

void arm_relu_q7(q7_t *data, uint16_t size);

/* Of powers of two; 127 is all but 1. It may write where it reads. */
void arm_softmax_q7(const q7_t *vec_in, const uint16_t dim_vec, q7_t *p_out);

#endif
