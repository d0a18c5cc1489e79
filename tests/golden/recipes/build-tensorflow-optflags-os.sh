# Checked against tensorflow/tensorflow, tensorflow/contrib/makefile. No stored copy of tag v1.15.0
# itself could be read, so two that enclose it were: Makefile of upstream 00d36b9 (later) and of
# marvin-Yu/DeepRec 5165e8b (a fork of 1.15.5 whose Makefile differs in -std only); they agree in
# everything used here. Also compile_nsync.sh (0c45f4f), README.md, section Raspberry Pi (03f3a90),
# and download_dependencies.sh, which is never run: it downloads what is not pinned. Of its changes
# to Eigen, the two for 32 bits name lines that this Eigen no longer has, the others are for 64.
cp -a /src/tensorflow/. .
chmod -R u+w .
makefile=tensorflow/contrib/makefile
downloads=$PWD/$makefile/downloads
gen=$PWD/$makefile/gen
mkdir -p "$downloads" "$gen"

# Makefile, INCLUDES and ABSL_CC_ALL_SRCS: the names of the folders.
cp -a /src/eigen "$downloads/eigen"
cp -a /src/gemmlowp "$downloads/gemmlowp"
cp -a /src/absl "$downloads/absl"
cp -a /src/double-conversion "$downloads/double_conversion"
cp -a /src/fft2d "$downloads/fft2d"
cp -a /src/nsync "$downloads/nsync"
cp -a /src/protobuf "$downloads/protobuf"
chmod -R u+w "$downloads"
test -f "$downloads/fft2d/fftsg.c" # TF_CC_SRCS names it

# Abseil of 2019 and a compiler and libc of 2022: <limits> no longer comes by itself (GCC 11), and
# SIGSTKSZ is a long that is no constant (glibc 2.34). Upstream mended both later, likewise.
sed -i '1i #include <limits>' "$downloads/absl/absl/synchronization/internal/graphcycles.cc"
sed -i 's/std::max(SIGSTKSZ, 65536)/std::max<size_t>(SIGSTKSZ, 65536)/' \
  "$downloads/absl/absl/debugging/failure_signal_handler.cc"

# What target code is compiled with before OPTFLAGS, which comes later on the line and so decides
# about NEON: README.md's two lines name neither -march nor a float ABI, Raspbian's compiler did.
# vfpv3-d16 is Debian's baseline for armhf.
cxx='arm-linux-gnueabihf-g++ -march=armv7-a -mfpu=vfpv3-d16 -mfloat-abi=hard -marm'
cc='arm-linux-gnueabihf-gcc -march=armv7-a -mfpu=vfpv3-d16 -mfloat-abi=hard -marm'
ar=arm-linux-gnueabihf-ar

# protobuf twice, of one version: protoc and proto_text run here, the library goes to the board.
# Static for the host, because the Makefile sets LD_LIBRARY_PATH for TARGET=LINUX only. Nothing
# here reads gzip streams, so zlib is left out of both. (configure.ac: with_zlib, with_protoc)
(cd "$downloads/protobuf" && ./autogen.sh)
mkdir -p build/protobuf-host build/protobuf
(cd build/protobuf-host \
  && "$downloads/protobuf/configure" --prefix="$gen/protobuf-host" --disable-shared \
    --without-zlib \
  && make -j"$JOBS" && make install)
(cd build/protobuf \
  && "$downloads/protobuf/configure" --prefix="$gen/protobuf" --disable-shared \
    --without-zlib --host=arm-linux-gnueabihf --with-protoc="$gen/protobuf-host/bin/protoc" \
    CC="$cc" CXX="$cxx" AR="$ar" \
  && make -j"$JOBS" && make install)

# compile_nsync.sh writes builds/default.linux.c++11/Makefile and prints the library's path. That
# Makefile names the host's g++ and -Werror; CC, AR and PLATFORM_CFLAGS on make's command line win
# (google/nsync, platform/posix/make.common: ${AR} cr, ${CC} ${CFLAGS}).
builds=$downloads/nsync/builds
MAKEFLAGS='-- PLATFORM_CFLAGS=-std=c++11' bash "$makefile/compile_nsync.sh" -t linux
cp -a "$builds/default.linux.c++11" "$builds/target.linux.c++11"
make -C "$builds/target.linux.c++11" clean
make -C "$builds/target.linux.c++11" nsync.a \
  CC="$cxx" AR="$ar" PLATFORM_CFLAGS=-std=c++11
export HOST_NSYNC_LIB="$builds/default.linux.c++11/nsync.a"
export TARGET_NSYNC_LIB="$builds/target.linux.c++11/nsync.a"

# CC_PREFIX is a wrapper word in this Makefile, not a triplet, so CXX itself is replaced. HOST_LIBS
# is the Makefile's own for Linux without -lz. protoc is found under gen/protobuf-host
# (HAS_GEN_HOST_PROTOC), and LIB_PATH, the goal, is an absolute path. version_info.cc says
# 'unknown': tools/git/gen_git_source.sh asks git, and this is no repository.
make -f "$makefile/Makefile" -j"$JOBS" TARGET=PI \
  OPTFLAGS=-Os \
  CXX="$cxx" AR="$ar" \
  HOST_LIBS="$HOST_NSYNC_LIB -lstdc++ -lprotobuf -lpthread -lm -ldl -lrt" \
  "$gen/lib/libtensorflow-core.a"

# The runner's headers, laid out as in TensorFlow's own wheels.
mkdir -p /out/lib /out/include
cp "$gen/lib/libtensorflow-core.a" "$gen/protobuf/lib/libprotobuf.a" "$TARGET_NSYNC_LIB" /out/lib/
find tensorflow/core third_party -name '*.h' -exec cp --parents {} /out/include/ \;
cp -a third_party/eigen3 /out/include/third_party/
(cd "$gen/proto" && find . -name '*.pb.h' -exec cp --parents {} /out/include/ \;)
cp -a "$gen/protobuf/include/google" "$downloads/eigen/Eigen" "$downloads/eigen/unsupported" \
  /out/include/
(cd "$downloads/absl" && find absl \( -name '*.h' -o -name '*.inc' \) \
  -exec cp --parents {} /out/include/ \;)
