# The C library, what it stands on, and what libopenvino opens by name beside itself: the plugin for
# the processor and the reader of ONNX files. Not the other plugins and readers, nor what TBB
# opens where it is there: its allocator, and hwloc.
libs=/src/wheel/openvino/libs
plugin=libopenvino_arm_cpu_plugin.so
mkdir -p /out/lib /out/include
for name in libopenvino_c.so.2641 libopenvino.so.2641 libopenvino_onnx_frontend.so.2641 \
  "$plugin" libtbb.so.12; do
  cp "$libs/$name" /out/lib/
done
cp -a /src/wheel/openvino/include/openvino /out/include/
