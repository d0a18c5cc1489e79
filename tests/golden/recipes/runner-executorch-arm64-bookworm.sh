# Flags and folders as the wheel's executorch-config.cmake gives them. The backend registers itself
# when it is loaded, and nothing of it is called by name.
aarch64-linux-gnu-g++ -std=c++17 -O2 -march=armv8-a -mtune=cortex-a53 -mno-outline-atomics -Wno-deprecated-declarations \
  -DC10_USING_CUSTOM_GENERATED_MACROS \
  -I/harness -I/deps/executorch/include \
  -I/deps/executorch/include/executorch/runtime/core/portable_type/c10 \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp \
  -L/deps/executorch/lib -Wl,--no-as-needed -lexecutorch_backend_xnnpack -Wl,--as-needed \
  -lexecutorch_threadpool -lexecutorch -lpthread \
  -Wl,-rpath-link,/deps/executorch/lib \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
