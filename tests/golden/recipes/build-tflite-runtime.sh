# The wheel's library is an extension module of CPython, and what it exports is C++:
# tflite::impl::Interpreter, tflite::ops::builtin::BuiltinOpResolver and so on. The C API that the
# engine speaks is upstream's own layer over these classes, compiled here and linked against them
# (tensorflow v2.14.1; lite/core/c and the headers are those of the wheel's 2.14.0).
tensorflow=/src/tensorflow
mkdir -p /out/lib
cp /src/wheel/tflite_runtime/_pywrap_tensorflow_interpreter_wrapper.so /out/lib/

sh /deps/python-absent/share/absent.sh arm-linux-gnueabihf \
  /out/lib/_pywrap_tensorflow_interpreter_wrapper.so -march=armv7-a -mfpu=neon-vfpv4 -mfloat-abi=hard -marm

lite=$tensorflow/tensorflow/lite
for name in core/c/c_api core/c/registration_external c/c_api_opaque_internal c/common_internal \
  core/create_op_resolver_with_builtin_ops delegates/interpreter_utils \
  delegates/nnapi/nnapi_delegate_disabled profiling/telemetry/profiler; do
  arm-linux-gnueabihf-g++ -std=c++17 -O2 -DNDEBUG -march=armv7-a -mfpu=neon-vfpv4 -mfloat-abi=hard -marm -fPIC \
    -I"$tensorflow" -I/src/flatbuffers/include \
    -c "$lite/$name.cc" -o "${name##*/}.o"
done
arm-linux-gnueabihf-g++ -shared *.o \
  -Wl,-soname,libtensorflowlite_c.so -Wl,--version-script,"$lite/c/version_script.lds" -Wl,-z,defs \
  -o /out/lib/libtensorflowlite_c.so \
  -L/out/lib -l:_pywrap_tensorflow_interpreter_wrapper.so -l:libpython-absent.so

cd "$tensorflow"
for header in builtin_ops.h c/c_api.h c/c_api_types.h core/async/c/types.h core/c/c_api.h \
  core/c/c_api_types.h core/c/registration_external.h; do
  install -D -m 644 "tensorflow/lite/$header" "/out/include/tensorflow/lite/$header"
done
