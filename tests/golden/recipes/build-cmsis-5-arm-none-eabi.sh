# What the q7 functions are made of. Never compiled here, because the git host was out of reach: the
# names are those of the sources at and around this tag, whose types come from CMSIS-DSP's header.
nn=/src/cmsis/CMSIS/NN
core=/src/cmsis/CMSIS/Core/Include
dsp=/src/cmsis/CMSIS/DSP/Include
for file in \
  ConvolutionFunctions/arm_convolve_HWC_q7_basic \
  ConvolutionFunctions/arm_convolve_HWC_q7_fast \
  ConvolutionFunctions/arm_convolve_HWC_q7_RGB \
  ConvolutionFunctions/arm_nn_mat_mult_kernel_q7_q15 \
  ConvolutionFunctions/arm_nn_mat_mult_kernel_q7_q15_reordered \
  FullyConnectedFunctions/arm_fully_connected_q7 \
  FullyConnectedFunctions/arm_fully_connected_q7_opt \
  PoolingFunctions/arm_pool_q7_HWC \
  ActivationFunctions/arm_relu_q7 \
  SoftmaxFunctions/arm_softmax_q7 \
  NNSupportFunctions/arm_q7_to_q15_no_shift \
  NNSupportFunctions/arm_q7_to_q15_reordered_no_shift
do
  arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfloat-abi=soft -std=c11 -Ofast -ffunction-sections -fdata-sections \
    -I"$nn/Include" -I"$core" -I"$dsp" -c "$nn/Source/$file.c"
done
arm-none-eabi-ar rcs libcmsis-nn.a ./*.o
mkdir -p /out/lib /out/include
cp libcmsis-nn.a /out/lib/
cp "$nn"/Include/*.h "$core"/cmsis_*.h "$dsp"/arm_math_types.h /out/include/
