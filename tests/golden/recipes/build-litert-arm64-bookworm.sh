# libLiteRt.so alone: it exports LiteRT's C API and needs nothing that the wheel carries. Not the
# wheel's libLiteRtWebGpuAccelerator.so: loading it ends with an illegal instruction on a Pi 4
# (ldapr of ARMv8.3 in an initializer), and the engine tells LiteRT to look for no accelerator.
mkdir -p /out/lib /out/include
cp /src/wheel/ai_edge_litert/libLiteRt.so /out/lib/
cp /recipe/litert.h /out/include/
