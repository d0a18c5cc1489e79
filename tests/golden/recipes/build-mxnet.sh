# The options are those of build_armv7 in apache/mxnet, ci/docker/runtime_functions.sh (branch v1.x),
# held against CMakeLists.txt, cmake/ChooseBlas.cmake and cmake/Modules/FindOpenBLAS.cmake of v1.x
# and 3rdparty/mshadow/CMakeLists.txt. What differs from build_armv7, and why:
#   flags                   its toolchain file sets no -mfpu, so that build has no NEON
#   -Dmxnet_LINKER_LIBS     64-bit atomics on 32-bit ARM, as build_armv6 there (apache/mxnet
#                           issues 15471, 18471, 18536)
#   USE_SSE, USE_F16C       else on, and left to a try of the compiler's (mshadow)
#   OpenBLAS_INCLUDE_DIR,   FindOpenBLAS.cmake's own variables: it looks in /usr and beside else
#   OpenBLAS_LIB
#   USE_CCACHE              the compilers in PATH are ccache's already
#   USE_SIGNAL_HANDLER      a crash stays the signal that it is
#   CMAKE_SKIP_RPATH        the bundle's loader path serves all its libraries
# The target is mxnet alone: the unit tests and im2rec would have to be linked for nothing.
cp -a /src/mxnet/. .
cmake -S . -B build -G Ninja \
  -DCMAKE_TOOLCHAIN_FILE=/toolchain.cmake \
  -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_SKIP_RPATH=ON \
  -DUSE_CUDA=OFF -DUSE_OPENCV=OFF -DUSE_OPENMP=ON -DUSE_LAPACK=OFF \
  -DUSE_MKL_IF_AVAILABLE=OFF -DUSE_MKLDNN=OFF \
  -DUSE_SSE=OFF -DUSE_F16C=OFF -DUSE_SIGNAL_HANDLER=OFF -DUSE_CCACHE=OFF \
  -DBUILD_CPP_EXAMPLES=OFF \
  -DUSE_BLAS=Open \
  -DOpenBLAS_INCLUDE_DIR=/deps/openblas/include \
  -DOpenBLAS_LIB=/deps/openblas/lib/libopenblas.so \
  -Dmxnet_LINKER_LIBS=-latomic
ninja -C build -j"$JOBS" mxnet
mkdir -p /out/lib /out/include
cp build/libmxnet.so /out/lib/
cp -a include/mxnet /out/include/
