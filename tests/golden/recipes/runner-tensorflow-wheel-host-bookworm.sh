# The flag for std::string is what the wheel itself says (tensorflow.sysconfig.get_compile_flags);
# C++11, as the wheel was built: in C++17 absl::string_view is another type.
x86_64-linux-gnu-g++ -std=c++11 -O2 -march=x86-64 -D_GLIBCXX_USE_CXX11_ABI=0 -w \
  -I/harness -I/deps/tensorflow-wheel/include \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp \
  -L/deps/tensorflow-wheel/lib -Wl,--no-as-needed \
  -l:_pywrap_tensorflow_internal.so -l:libtensorflow_framework.so.1 -lnopython \
  -Wl,--as-needed -lpthread \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
