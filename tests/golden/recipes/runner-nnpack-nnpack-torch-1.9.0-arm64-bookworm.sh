# pthreadpool comes from the same place as NNPACK: a second one beside libtorch_cpu.so's own would
# take its place there.
set -- -DNNPACK_CONVOLUTION_ONLY -Wl,-rpath-link,/deps/nnpack/lib -ltorch_cpu -lpthread
aarch64-linux-gnu-g++ -std=c++11 -O2 -march=armv8-a -mtune=cortex-a53 -mno-outline-atomics \
  -I/harness -I/deps/nnpack-deps/include \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp -L/deps/nnpack/lib "$@" \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
