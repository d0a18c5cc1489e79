# The library is CPython's extension module, which exports all of MNN. The converter is another one,
# for the machine that builds: no file of the Python package around it comes along.
mkdir -p /out/lib /out/include /out/converter/mnn.libs
cp /src/wheel/_mnncengine.*.so /out/lib/_mnncengine.so
cp /src/wheel/mnn.libs/libgomp-*.so.* /out/lib/
sh /deps/python-absent/share/absent.sh aarch64-linux-gnu \
  /out/lib/_mnncengine.so -march=armv8-a -mtune=cortex-a53 -mno-outline-atomics
cp /recipe/mnn.h /out/include/

cp /src/converter/_tools.*.so /out/converter/_tools.so
cp /src/converter/mnn.libs/libgomp-*.so.* /out/converter/mnn.libs/
cp /recipe/convert.py /out/converter/
