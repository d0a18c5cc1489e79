cp -a /src/caffe/. .
patch -p1 < /recipe/patches/protobuf-total-bytes-limit.patch
# USE_HDF5=OFF is incomplete upstream (BVLC/caffe pull request 6346), so HDF5 comes along.
# Both spellings of the protoc variable: cmake/ProtoBuf.cmake reads one, CMake's module the other.
# libblas.so.3 has no symbol of its own, and Debian's cross compiler links --as-needed: it must
# be told to keep it.
# The messages of its checks hold __FILE__, the folder that it is compiled in among it.
export CXXFLAGS="-ffile-prefix-map=$PWD=."
cmake -S . -B build \
  -DCMAKE_TOOLCHAIN_FILE=/toolchain.cmake \
  -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_INSTALL_PREFIX=/out -DCMAKE_INSTALL_LIBDIR=lib \
  -DCMAKE_SKIP_RPATH=ON \
  -DCPU_ONLY=ON -DBUILD_python=OFF -DBUILD_python_layer=OFF -DBUILD_matlab=OFF -DBUILD_docs=OFF \
  -DUSE_OPENCV=OFF -DUSE_LEVELDB=OFF -DUSE_LMDB=OFF \
  -DBLAS=Open \
  -DOpenBLAS_INCLUDE_DIR=/deps/openblas/include \
  -DOpenBLAS_LIB=/deps/blas/lib/libblas.so.3 \
  -DCMAKE_SHARED_LINKER_FLAGS='-Wl,--push-state,--no-as-needed /deps/blas/lib/libblas.so.3 -Wl,--pop-state' \
  -DPROTOBUF_PROTOC_EXECUTABLE=/usr/bin/protoc -DProtobuf_PROTOC_EXECUTABLE=/usr/bin/protoc
make -C build -j"$JOBS" caffe
mkdir -p /out/lib /out/include/caffe/proto
cp -a build/lib/libcaffe.so* /out/lib/
cp -a include/caffe /out/include/
cp build/include/caffe/proto/caffe.pb.h /out/include/caffe/proto/
