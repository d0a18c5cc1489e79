# A wheel's files lie in mxnet/. No product depends on `onednn`: the runner's script does.
mkdir -p /out/lib /out/include
cp -a /src/wheel/mxnet/include/mxnet /out/include/
for library in /src/wheel/mxnet/*.so* \
  /src/zlib/lib/aarch64-linux-gnu/libz.so.1; do
  cp -L "$library" /out/lib/
done
