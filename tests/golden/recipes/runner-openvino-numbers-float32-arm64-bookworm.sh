# OpenVINO opens its plugin and its reader of ONNX files by their names. A bundle has what its files
# say that they need: so the runner says it needs both.
plugin=libopenvino_arm_cpu_plugin.so
aarch64-linux-gnu-g++ -std=c++17 -O2 -march=armv8-a -mtune=cortex-a53 -mno-outline-atomics \
  -DNUMBER_FORMAT='"float32"' \
  -I/harness -I/deps/openvino/include \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp \
  -L/deps/openvino/lib -Wl,--no-as-needed -l:"$plugin" -l:libopenvino_onnx_frontend.so.2641 \
  -Wl,--as-needed -l:libopenvino_c.so.2641 -lpthread \
  -Wl,-rpath-link,/deps/openvino/lib \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
