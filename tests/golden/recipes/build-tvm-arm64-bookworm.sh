# What runs compiled code, and the headers of its functions and tensors. Not the compiler, nor the
# extensions: sorting, random numbers, other machines' memory.
mkdir -p /out/lib /out/include
cp /src/wheel/tvm/lib/libtvm_runtime.so /src/ffi/tvm_ffi/lib/libtvm_ffi.so \
  /out/lib/
cp -a /src/ffi/tvm_ffi/include/. /src/ffi/tvm_ffi/3rdparty/dlpack/include/. \
  /out/include/
