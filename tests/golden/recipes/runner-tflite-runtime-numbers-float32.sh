arm-linux-gnueabihf-g++ -std=c++17 -O2 -march=armv7-a -mfpu=neon-vfpv4 -mfloat-abi=hard -marm \
  -DNUMBER_FORMAT='"float32"' \
  -I/harness -I/deps/tflite-runtime/include \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp \
  -L/deps/tflite-runtime/lib -ltensorflowlite_c -lpthread \
  -Wl,-rpath-link,/deps/tflite-runtime/lib \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
