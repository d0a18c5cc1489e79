# DT_RPATH, not DT_RUNPATH: only the former also serves the libraries' own needs (libgomp), so that
# the bundle finds all of itself whatever the board has installed.
aarch64-linux-gnu-g++ -std=c++11 -O2 -fopenmp -march=armv8-a -mtune=cortex-a53 -mno-outline-atomics \
  -DDIRECT=0 \
  -I/harness -I/deps/ggml/include \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp \
  -L/deps/ggml/lib -lggml-cpu -lggml-base -lpthread \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
