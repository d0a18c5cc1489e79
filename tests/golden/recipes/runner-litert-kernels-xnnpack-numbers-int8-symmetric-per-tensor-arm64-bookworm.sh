aarch64-linux-gnu-g++ -std=c++17 -O2 -march=armv8-a -mtune=cortex-a53 -mno-outline-atomics \
  -DNUMBER_FORMAT='"int8"' \
  -DOWN_KERNELS=0 \
  -I/harness -I/deps/litert/include \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp \
  -L/deps/litert/lib -lLiteRt -lpthread \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
