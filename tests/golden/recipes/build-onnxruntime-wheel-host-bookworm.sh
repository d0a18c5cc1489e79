# The wheel has the library twice: for C, and once more inside its extension module. The one for C
# calls itself libonnxruntime.so.1, and needs nothing that the wheel carries.
mkdir -p /out/lib /out/include
cp /src/wheel/onnxruntime/capi/libonnxruntime.so.1.31.1 /out/lib/libonnxruntime.so.1
cp /src/header/usr/include/onnxruntime/onnxruntime_c_api.h /out/include/
