# tensorflow/tensorflow v1.15.0, tensorflow/contrib/makefile: Makefile, README.md (Raspberry Pi),
# compile_linux_protobuf.sh, compile_nsync.sh. Never download_dependencies.sh.
cp -a /src/tensorflow/. .
makefile=tensorflow/contrib/makefile
downloads=$makefile/downloads
gen=$PWD/$makefile/gen
mkdir -p "$downloads" "$gen"
cp -a /src/protobuf "$downloads/protobuf"
cp -a /src/nsync "$downloads/nsync"
cp -a /src/eigen "$downloads/eigen"

# protobuf twice, of one version: protoc and proto_text run here, the library goes to the board.
(cd "$downloads/protobuf" && ./autogen.sh)
mkdir -p build/protobuf-host build/protobuf-target
(cd build/protobuf-host && ../../"$downloads"/protobuf/configure --prefix="$gen/protobuf-host" \
  && make -j"$JOBS" && make install)
(cd build/protobuf-target && ../../"$downloads"/protobuf/configure --prefix="$gen/protobuf" \
  --host=arm-linux-gnueabihf --with-protoc="$gen/protobuf-host/bin/protoc" --disable-shared \
  && make -j"$JOBS" && make install)

# nsync likewise; its generated Makefile hard-codes the host's g++, so CC and AR are overridden.
nsync=$downloads/nsync/builds
HOST_NSYNC_LIB=$($makefile/compile_nsync.sh -t linux)
cp -a "$nsync/default.linux.c++11" "$nsync/target.linux.c++11"
make -C "$nsync/target.linux.c++11" clean
make -C "$nsync/target.linux.c++11" nsync.a \
  CC=arm-linux-gnueabihf-g++ AR=arm-linux-gnueabihf-ar
TARGET_NSYNC_LIB=$nsync/target.linux.c++11/nsync.a
export HOST_NSYNC_LIB TARGET_NSYNC_LIB

# CC_PREFIX is a wrapper word in this Makefile, not a triplet: CXX itself is replaced. Neither of
# the study's two lines names -march; it is given here so that it is known.
make -f "$makefile/Makefile" -j"$JOBS" TARGET=PI \
  OPTFLAGS=-Os \
  CXX='arm-linux-gnueabihf-g++ -march=armv7-a'" -L$gen/protobuf/lib" \
  AR=arm-linux-gnueabihf-ar \
  "$makefile/gen/lib/libtensorflow-core.a"
mkdir -p /out/lib
cp "$gen/lib/libtensorflow-core.a" /out/lib/
