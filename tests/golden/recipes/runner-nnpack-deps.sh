arm-linux-gnueabihf-g++ -std=c++11 -O2 -march=armv7-a -mfpu=neon-vfpv4 -mfloat-abi=hard -marm -I/harness -I/deps/nnpack-deps/include \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp \
  -L/deps/nnpack-deps/lib -lpthreadpool -lcpuinfo -lpthread \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
