# DT_RPATH, not DT_RUNPATH: only the former also serves the libraries' own needs.
arm-linux-gnueabihf-g++ -std=c++17 -O2 -march=armv7-a -mfpu=neon-vfpv4 -mfloat-abi=hard -marm -Wno-psabi \
  -I/harness -I/deps/armnn/include -I/deps/acl/include \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp \
  -L/deps/armnn/lib -L/deps/acl/lib \
  -larmnnTfLiteParser -larmnn -larm_compute -lpthread \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
