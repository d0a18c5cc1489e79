# DT_RPATH, not DT_RUNPATH: only the former also serves the libraries' own needs.
arm-linux-gnueabihf-g++ -std=c++11 -O2 -march=armv7-a -mfpu=neon-vfpv4 -mfloat-abi=hard -marm \
  -I/harness -I/deps/opencv-dnn/include/opencv4 \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp \
  -L/deps/opencv-dnn/lib -lopencv_dnn -lopencv_core -lpthread \
  -Wl,-rpath-link,/deps/opencv-dnn/lib \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
