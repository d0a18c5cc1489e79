# The library is CPython's extension module, which exports all of MNN. The converter is another one,
# for the machine that builds: no file of the Python package around it comes along.
mkdir -p /out/lib /out/include /out/converter/mnn.libs
cp /src/wheel/_mnncengine.*.so /out/lib/_mnncengine.so
cp /src/wheel/mnn.libs/libgomp-*.so.* /out/lib/
# Its files of assembler for x86 carry no .note.GNU-stack, so it asks for an executable stack (audit
# BM160), though it runs without one. The flag is taken off, as `execstack -c` does.
python3 - /out/lib/_mnncengine.so <<'CLEAR'
import struct, sys
with open(sys.argv[1], "r+b") as file:  # offsets of a little-endian ELF64, elf(5)
    image = file.read()
    (start,), (size, count) = struct.unpack_from("<Q", image, 32), struct.unpack_from("<HH", image, 54)
    stacks = [at for at in range(start, start + size * count, size)
              if struct.unpack_from("<I", image, at)[0] == 0x6474E551]
    (at,) = stacks
    file.seek(at + 4)
    file.write(struct.pack("<I", struct.unpack_from("<I", image, at + 4)[0] & ~1))
CLEAR
sh /deps/python-absent/share/absent.sh x86_64-linux-gnu \
  /out/lib/_mnncengine.so -march=x86-64
cp /recipe/mnn.h /out/include/

cp /src/converter/_tools.*.so /out/converter/_tools.so
cp /src/converter/mnn.libs/libgomp-*.so.* /out/converter/mnn.libs/
cp /recipe/convert.py /out/converter/
