# A library with nothing in it but the need for another one, as Debian's alternatives have it
# (libblas.so.3 of libopenblas0-pthread needs libopenblas.so.0). A stand-in of the right soname
# is enough to link against.
empty() { aarch64-linux-gnu-gcc -march=armv8-a -mtune=cortex-a53 -mno-outline-atomics -shared -nostdlib -Wl,-z,noexecstack "$@"; }
mkdir -p /out/lib
empty -Wl,-soname,libopenblas.so.0 -o stand-in.so -x c /dev/null
empty -Wl,-soname,libblas.so.3 -o /out/lib/libblas.so.3 -x c /dev/null \
  -x none -Wl,--no-as-needed stand-in.so
