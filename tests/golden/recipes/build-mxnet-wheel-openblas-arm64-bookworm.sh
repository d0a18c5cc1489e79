# Three libraries with the sonames that libmxnet.so asks for. The first needs OpenBLAS, so that the
# loader brings it along; the others are empty, because libmxnet.so needs libm and libc anyway.
bridge() {
  soname=$1
  shift
  aarch64-linux-gnu-gcc -shared -fPIC -O2 -march=armv8-a -mtune=cortex-a53 -mno-outline-atomics -Wl,-soname,"$soname" \
    -o "/out/lib/$soname" "$@"
}
mkdir -p /out/lib
bridge libarmpl_lp64_mp.so /recipe/shim/lapack.c \
  -L/deps/openblas/lib -Wl,--no-as-needed -l:libopenblas.so.0
: > empty.c
bridge libamath.so empty.c
bridge libastring.so empty.c
