# The flags and headers of recipe caffe's runner, and NNPACK's: nnpack.h is in no wheel.
set -- -I/deps/nnpack/include -DNNPACK_CONVOLUTION_ONLY
mkdir -p /out/lib
aarch64-linux-gnu-g++ -std=c++14 -O2 -march=armv8-a -mtune=cortex-a53 -mno-outline-atomics -DCPU_ONLY \
  -I/deps/caffe/include -I/deps/openblas/include \
  -I/deps/nnpack-deps/include "$@" \
  -c /recipe/runner/nnpack_layer.cpp -o /out/lib/nnpack_layer.o
