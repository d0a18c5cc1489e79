mkdir -p /out/lib /out/include
cp /deps/cmsis-5/lib/libcmsis-nn.a /out/lib/
cp -a /deps/cmsis-5/include/. /out/include/
