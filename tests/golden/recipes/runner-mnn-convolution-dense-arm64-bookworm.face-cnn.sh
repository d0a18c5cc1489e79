# _GLIBCXX_USE_CXX11_ABI: the wheel is made for any Linux since 2014, with the strings of then.
aarch64-linux-gnu-g++ -std=c++17 -O2 -march=armv8-a -mtune=cortex-a53 -mno-outline-atomics -D_GLIBCXX_USE_CXX11_ABI=0 \
  -DWINOGRAD=0 \
  -I/harness -I/deps/mnn/include \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp \
  -L/deps/mnn/lib -l:_mnncengine.so -l:libpython-absent.so -lpthread \
  -Wl,-rpath-link,/deps/mnn/lib \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
python3 -B /deps/mnn/converter/convert.py /model/net.onnx /out/model/net.mnn
