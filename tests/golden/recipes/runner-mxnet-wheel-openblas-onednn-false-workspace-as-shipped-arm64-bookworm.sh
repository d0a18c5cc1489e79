# engine.cpp stands before harness.cpp: it sets the environment before that one parts the process.
# The linker looks for every symbol that libmxnet.so lacks in what it needs (no-allow-shlib-
# undefined), so it is proved here that the bridges and OpenBLAS have them all.
aarch64-linux-gnu-g++ -std=c++14 -O2 -march=armv8-a -mtune=cortex-a53 -mno-outline-atomics \
  -DBUILDMATRIX_ONEDNN=0 \
  -I/harness -I/deps/mxnet-wheel/include \
  -o runner /recipe/runner/engine.cpp /harness/harness.cpp \
  -L/deps/mxnet-wheel/lib -Wl,--no-as-needed -lmxnet -Wl,--as-needed -ldl -lpthread \
  -Wl,--no-allow-shlib-undefined \
  -Wl,-rpath-link,/deps/mxnet-wheel/lib \
  -Wl,-rpath-link,/deps/openblas/lib \
  -Wl,-rpath-link,/deps/mxnet-wheel-openblas/lib \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
