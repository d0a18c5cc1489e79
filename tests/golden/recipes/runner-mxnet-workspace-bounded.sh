# engine.cpp stands before harness.cpp: it sets the environment before that one parts the process.
arm-linux-gnueabihf-g++ -std=c++14 -O2 -march=armv7-a -mfpu=neon-vfpv4 -mfloat-abi=hard -marm \
  -I/harness -I/deps/mxnet/include \
  -o runner /recipe/runner/engine.cpp /harness/harness.cpp \
  -L/deps/mxnet/lib -Wl,--no-as-needed -lmxnet -Wl,--as-needed -ldl -lpthread \
  -Wl,-rpath-link,/deps/openblas/lib \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
