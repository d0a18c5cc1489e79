arm-linux-gnueabihf-g++ -std=c++17 -O2 -march=armv7-a -mfpu=neon-vfpv4 -mfloat-abi=hard -marm \
  -DNUMBER_FORMAT='"float16-weights"' \
  -I/harness -I/deps/tflite/include \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp \
  -L/deps/tflite/lib -ltensorflowlite_c -lpthread \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
