# Options as in Tencent/ncnn, CMakeLists.txt of the 20261020 archive; what is not named here stands
# at upstream's default (int8 and bf16 on, kernels for newer CPUs chosen at run time).
# NCNN_VERSION: left out, it is the day of the build. CMAKE_REQUIRE_FIND_PACKAGE_OpenMP: without
# OpenMP, src/CMakeLists.txt goes on in silence and makes a library of one thread.
# NCNN_BUILD_BENCHMARK: on by default, but the PyPI archive has no benchmark/.
cmake -S /src/ncnn -B build \
  -DCMAKE_TOOLCHAIN_FILE=/toolchain.cmake \
  -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_INSTALL_PREFIX=/out -DCMAKE_INSTALL_LIBDIR=lib \
  -DCMAKE_SKIP_RPATH=ON \
  -DCMAKE_REQUIRE_FIND_PACKAGE_OpenMP=ON \
  -DCMAKE_PROJECT_ncnn_INCLUDE=/recipe/half-precision.cmake \
  -DNCNN_VERSION=20261020 \
  -DNCNN_SHARED_LIB=ON \
  -DNCNN_OPENMP=ON -DNCNN_THREADS=ON \
  -DNCNN_VULKAN=OFF \
  -DNCNN_RUNTIME_CPU=ON \
  -DNCNN_BUILD_BENCHMARK=OFF -DNCNN_BUILD_TOOLS=OFF -DNCNN_BUILD_EXAMPLES=OFF
make -C build -j"$JOBS" ncnn
make -C build install/fast
rm -rf /out/lib/cmake /out/lib/pkgconfig
