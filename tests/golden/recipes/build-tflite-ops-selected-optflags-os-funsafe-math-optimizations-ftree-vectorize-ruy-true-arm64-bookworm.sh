# tensorflow v2.14.1: tensorflow/lite/CMakeLists.txt, tensorflow/lite/c/CMakeLists.txt and
# tensorflow/lite/tools/cmake/modules (OverridableFetchContent.cmake hands its names on to CMake's
# FetchContent, so FETCHCONTENT_SOURCE_DIR_<NAME> is how a source is given instead of fetched).
# Nothing may be fetched: FETCHCONTENT_FULLY_DISCONNECTED makes a forgotten one an error.
mkdir -p deps/ml_dtypes
cp -a /src/eigen deps/eigen # modules/eigen.cmake writes into it
cp -a /src/ruy/usr deps/ruy
cp /recipe/ruy/CMakeLists.txt deps/ruy/
# OverridableFetchContent.cmake wants to see a license file in each source.
cp deps/ruy/share/doc/libruy-dev/copyright deps/ruy/LICENSE
# Of ml_dtypes only tensorflow/tsl/platform/float8.h includes anything, and nothing in lite includes
# that; Debian's package drops it too (debian/patches/disable-ml_dtypes.patch).
touch deps/ml_dtypes/LICENSE

# armv7-a+fp is what Debian's compiler takes for armhf by itself: VFPv3-D16 and no NEON. So the
# toolchain's own -mfpu is left out here, and the option decides, as it did in the study. CMake's
# Release would add -O3 behind it.
flags='-march=armv8-a -mtune=cortex-a53 -mno-outline-atomics -Os -funsafe-math-optimizations -ftree-vectorize'
cmake -S /recipe -B build -G Ninja -Wno-dev \
  -DCMAKE_TOOLCHAIN_FILE=/toolchain.cmake \
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_SKIP_RPATH=ON \
  -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags" \
  -DCMAKE_C_FLAGS_RELEASE=-DNDEBUG -DCMAKE_CXX_FLAGS_RELEASE=-DNDEBUG \
  -DTENSORFLOW_SOURCE_DIR=/src/tensorflow \
  -DFETCHCONTENT_FULLY_DISCONNECTED=ON \
  -DFETCHCONTENT_SOURCE_DIR_ABSEIL-CPP=/src/abseil \
  -DFETCHCONTENT_SOURCE_DIR_CPUINFO=/src/cpuinfo \
  -DFETCHCONTENT_SOURCE_DIR_EIGEN="$PWD/deps/eigen" \
  -DFETCHCONTENT_SOURCE_DIR_FARMHASH=/src/farmhash \
  -DFETCHCONTENT_SOURCE_DIR_FFT2D=/src/oourafft \
  -DFETCHCONTENT_SOURCE_DIR_FLATBUFFERS=/src/flatbuffers \
  -DFETCHCONTENT_SOURCE_DIR_GEMMLOWP=/src/gemmlowp \
  -DFETCHCONTENT_SOURCE_DIR_ML_DTYPES="$PWD/deps/ml_dtypes" \
  -DFETCHCONTENT_SOURCE_DIR_RUY="$PWD/deps/ruy" \
  -DFXDIV_SOURCE_DIR=/src/fxdiv \
  -DPTHREADPOOL_SOURCE_DIR=/src/pthreadpool \
  -DTFLITE_ENABLE_EXTERNAL_DELEGATE=OFF \
  -DTFLITE_ENABLE_RUY=ON \
  -DTFLITE_ENABLE_XNNPACK=OFF \
  -DOPS="AVERAGE_POOL_2D;CONV_2D;DEPTHWISE_CONV_2D;DEQUANTIZE;FULLY_CONNECTED;\
MAX_POOL_2D;PAD;QUANTIZE;RELU;RELU6;RESHAPE;SOFTMAX" \
  -DKERNELS="activations;conv;cpu_backend_context;cpu_backend_gemm_eigen;\
depthwise_conv;dequantize;eigen_support;fully_connected;kernel_util;pad;pooling;quantize;reshape" \
  -DCMAKE_SHARED_LINKER_FLAGS=-Wl,-z,noexecstack
ninja -C build -j"$JOBS" tensorflowlite_c

mkdir -p /out/lib
cp -L build/c/libtensorflowlite_c.so /out/lib/
# c_api.h and what it includes.
cd /src/tensorflow
for header in builtin_ops.h c/c_api.h c/c_api_types.h core/async/c/types.h core/c/c_api.h \
  core/c/c_api_types.h core/c/registration_external.h; do
  install -D -m 644 "tensorflow/lite/$header" "/out/include/tensorflow/lite/$header"
done
