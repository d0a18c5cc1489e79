arm-linux-gnueabihf-g++ -std=c++14 -O2 -march=armv7-a -mfpu=neon-vfpv4 -mfloat-abi=hard -marm \
  -I/harness -I/deps/xnnpack/include -I/deps/nnpack-deps/include \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp \
  -L/deps/xnnpack/lib -L/deps/nnpack-deps/lib \
  -lXNNPACK -lmicrokernels-prod -lpthreadpool -lcpuinfo -lpthread -lm \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
