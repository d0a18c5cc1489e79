aarch64-linux-gnu-g++ -std=c++14 -O2 -march=armv8-a -mtune=cortex-a53 -mno-outline-atomics \
  -DNUMBER_FORMAT='"int8"' \
  -I/harness -I/deps/onnxruntime-wheel/include \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp \
  -L/deps/onnxruntime-wheel/lib -l:libonnxruntime.so.1 -lpthread \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
