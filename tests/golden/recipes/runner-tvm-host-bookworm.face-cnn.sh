# The network becomes objects, which tell TVM's runtime of themselves when the program begins.
mkdir net
/deps/tvm-compiler/bin/tvm-python /recipe/runner/compile.py /model/net.onnx \
  x86_64-linux-gnu net
x86_64-linux-gnu-g++ -std=c++17 -O2 -march=x86-64 \
  -I/harness -Inet -I/deps/tvm/include \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp net/*.o \
  -L/deps/tvm/lib -Wl,--no-as-needed -ltvm_runtime -Wl,--as-needed -ltvm_ffi -lpthread \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
