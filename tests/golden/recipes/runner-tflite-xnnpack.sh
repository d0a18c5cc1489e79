# --wrap puts delegate.cpp between the engine and the C API, so the engine is recipe tflite's.
arm-linux-gnueabihf-g++ -std=c++17 -O2 -march=armv7-a -mfpu=neon-vfpv4 -mfloat-abi=hard -marm \
  -DNUMBER_FORMAT='"float32"' -I/harness -I/deps/tflite/include \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp \
  -Wl,--wrap=TfLiteInterpreterOptionsSetNumThreads -Wl,--wrap=TfLiteInterpreterCreate \
  -L/deps/tflite-xnnpack/lib -L/deps/xnnpack/lib \
  -L/deps/nnpack-deps/lib -L/deps/tflite/lib \
  -lxnnpack_delegate -lXNNPACK -lmicrokernels-prod -lpthreadpool -lcpuinfo \
  -ltensorflowlite_c -lpthread -lm \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
