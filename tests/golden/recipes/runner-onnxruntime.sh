arm-linux-gnueabihf-g++ -std=c++14 -O2 -march=armv7-a -mfpu=neon-vfpv4 -mfloat-abi=hard -marm \
  -DNUMBER_FORMAT='"float32"' \
  -I/harness -I/deps/onnxruntime/include \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp \
  -L/deps/onnxruntime/lib -l:libonnxruntime.so.1 -lpthread \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
