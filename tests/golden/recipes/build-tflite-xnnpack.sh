# What tensorflow/lite/CMakeLists.txt (v2.14.1) adds for TFLITE_ENABLE_XNNPACK, and those files of
# tensorflow/lite that it calls: the C library exports the C API and hides these.
cd /src/tensorflow/tensorflow/lite
work=$OLDPWD
for file in delegates/xnnpack/xnnpack_delegate.cc delegates/xnnpack/quantization_util.cc \
  array.cc kernels/internal/quantization_util.cc kernels/internal/runtime_shape.cc \
  kernels/internal/tensor_ctypes.cc kernels/internal/utils/sparsity_format_converter.cc \
  kernels/kernel_util.cc minimal_logging.cc minimal_logging_default.cc schema/schema_utils.cc \
  /recipe/delegate.cpp; do
  object=$(echo "$file" | tr / _)
  arm-linux-gnueabihf-g++ -std=c++17 -O2 -DNDEBUG -march=armv7-a -mfpu=neon-vfpv4 -mfloat-abi=hard -marm \
    -I/src/tensorflow -I/src/flatbuffers/include -I/src/gemmlowp \
    -I/src/eigen -I/src/ruy/usr/include \
    -I/deps/xnnpack/include -I/deps/nnpack-deps/include \
    -c "$file" -o "$work/$object.o"
done
cd "$work"
mkdir -p /out/lib
arm-linux-gnueabihf-ar rcs /out/lib/libxnnpack_delegate.a ./*.o
