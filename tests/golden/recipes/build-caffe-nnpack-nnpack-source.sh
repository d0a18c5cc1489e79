# The flags and headers of recipe caffe's runner, and NNPACK's: nnpack.h is in no wheel.
set -- -I/deps/nnpack/include
mkdir -p /out/lib
arm-linux-gnueabihf-g++ -std=c++14 -O2 -march=armv7-a -mfpu=neon-vfpv4 -mfloat-abi=hard -marm -DCPU_ONLY \
  -I/deps/caffe/include -I/deps/openblas/include \
  -I/deps/nnpack-deps/include "$@" \
  -c /recipe/runner/nnpack_layer.cpp -o /out/lib/nnpack_layer.o
