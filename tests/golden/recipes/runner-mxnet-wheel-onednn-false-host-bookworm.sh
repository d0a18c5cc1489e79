# engine.cpp stands before harness.cpp: it sets the environment before that one parts the process.
x86_64-linux-gnu-g++ -std=c++14 -O2 -march=x86-64 \
  -DBUILDMATRIX_ONEDNN=0 \
  -I/harness -I/deps/mxnet-wheel/include \
  -o runner /recipe/runner/engine.cpp /harness/harness.cpp \
  -L/deps/mxnet-wheel/lib -Wl,--no-as-needed -lmxnet -Wl,--as-needed -ldl -lpthread \
  -Wl,-rpath-link,/deps/mxnet-wheel/lib \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
