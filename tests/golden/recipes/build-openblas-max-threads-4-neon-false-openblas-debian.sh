# Nothing is built: the library as Debian ships it, but for one flag. Its assembler files carry no
# .note.GNU-stack, so it asks for an executable stack (PT_GNU_STACK with PF_X; audit BM160), though
# nothing in it needs one. The flag is taken off, as `execstack -c` does; no instruction changes.
lib=/src/openblas/usr/lib/arm-linux-gnueabihf
mkdir -p /out/lib /out/include
cp "$lib"/openblas-pthread/libopenblas.so.0 /out/lib/libopenblas.so.0
cp /src/gfortran/usr/lib/arm-linux-gnueabihf/libgfortran.so.5 /out/lib/
cp /src/openblas-dev/usr/include/arm-linux-gnueabihf/openblas-pthread/*.h /out/include/
python3 - /out/lib/libopenblas.so.0 <<'CLEAR'
import struct, sys
with open(sys.argv[1], "r+b") as file:  # offsets of a little-endian ELF32, elf(5)
    image = file.read()
    (start,), (size, count) = struct.unpack_from("<I", image, 28), struct.unpack_from("<HH", image, 42)
    stacks = [at for at in range(start, start + size * count, size)
              if struct.unpack_from("<I", image, at)[0] == 0x6474E551]
    (at,) = stacks
    file.seek(at + 24)
    file.write(struct.pack("<I", struct.unpack_from("<I", image, at + 24)[0] & ~1))
CLEAR
