# DT_RPATH, not DT_RUNPATH: only the former also serves the libraries' own needs, so that the
# bundle finds all of itself whatever the board has installed.
aarch64-linux-gnu-g++ -std=c++14 -O2 -march=armv8-a -mtune=cortex-a53 -mno-outline-atomics -DCPU_ONLY \
  -I/harness -I/deps/caffe/include -I/deps/openblas/include \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp \
  -L/deps/caffe/lib -Wl,--no-as-needed -lcaffe -Wl,--as-needed \
  -lboost_system -lprotobuf -lglog -lgflags -lpthread \
  -Wl,-rpath-link,/deps/blas/lib:/deps/openblas/lib \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
