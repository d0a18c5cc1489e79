# pthreadpool comes from the same place as NNPACK: a second one beside libtorch_cpu.so's own would
# take its place there.
set -- -I/deps/nnpack/include -L/deps/nnpack-deps/lib \
  -lnnpack -lpthreadpool -lcpuinfo -lpthread -lm
arm-linux-gnueabihf-g++ -std=c++11 -O2 -march=armv7-a -mfpu=neon-vfpv4 -mfloat-abi=hard -marm \
  -I/harness -I/deps/nnpack-deps/include \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp -L/deps/nnpack/lib "$@" \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
