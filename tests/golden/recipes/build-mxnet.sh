# apache/mxnet, ci/docker/runtime_functions.sh: build_armv7. Its toolchain file sets no -mfpu, so
# the official build has no NEON; ours comes from the toolchain's flags. SSE is switched off by
# hand because the build decides it from the build machine's uname; 64-bit atomics need -latomic.
cp -a /src/mxnet/. .
cmake -S . -B build \
  -DCMAKE_TOOLCHAIN_FILE=/toolchain.cmake \
  -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_SHARED_LINKER_FLAGS=-latomic -DCMAKE_EXE_LINKER_FLAGS=-latomic \
  -DUSE_CUDA=OFF -DUSE_OPENCV=OFF -DUSE_OPENMP=ON -DUSE_LAPACK=OFF -DUSE_MKLDNN=OFF \
  -DUSE_SSE=OFF -DUSE_F16C=OFF -DUSE_SIGNAL_HANDLER=OFF -DBUILD_CPP_EXAMPLES=OFF \
  -DUSE_BLAS=Open \
  -DOpenBLAS_INCLUDE_DIR=/deps/openblas/include \
  -DOpenBLAS_LIB=/deps/openblas/lib/libopenblas.so
make -C build -j"$JOBS" mxnet
mkdir -p /out/lib /out/include
cp build/libmxnet.so /out/lib/
cp -a include/mxnet /out/include/
