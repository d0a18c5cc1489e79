# Options from pthreadpool's CMakeLists.txt (Maratyszcza/pthreadpool 560c60d) and cpuinfo's
# (pytorch/cpuinfo 877328f). Both would fetch googletest for tests that are off here, and
# pthreadpool would fetch FXdiv. The other three are headers alone.
cmake -G Ninja -S /src/pthreadpool -B pthreadpool \
  -DCMAKE_TOOLCHAIN_FILE=/toolchain.cmake -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_INSTALL_PREFIX=/out -DCMAKE_INSTALL_LIBDIR=lib \
  -DPTHREADPOOL_LIBRARY_TYPE=static -DPTHREADPOOL_ALLOW_DEPRECATED_API=OFF \
  -DPTHREADPOOL_BUILD_TESTS=OFF -DPTHREADPOOL_BUILD_BENCHMARKS=OFF \
  -DFXDIV_SOURCE_DIR=/src/fxdiv
ninja -C pthreadpool -j "$JOBS" install
cmake -G Ninja -S /src/cpuinfo -B cpuinfo \
  -DCMAKE_TOOLCHAIN_FILE=/toolchain.cmake -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_INSTALL_PREFIX=/out -DCMAKE_INSTALL_LIBDIR=lib \
  -DCPUINFO_LIBRARY_TYPE=static -DCPUINFO_BUILD_PKG_CONFIG=OFF -DCPUINFO_BUILD_TOOLS=OFF \
  -DCPUINFO_BUILD_UNIT_TESTS=OFF -DCPUINFO_BUILD_MOCK_TESTS=OFF -DCPUINFO_BUILD_BENCHMARKS=OFF
ninja -C cpuinfo -j "$JOBS" install
cp -a /src/fp16/include/fp16.h /src/fxdiv/include/fxdiv.h \
  /src/psimd/include/psimd.h /out/include/
mkdir -p /out/include/fp16
cp -a /src/fp16/include/fp16/*.h /out/include/fp16/
rm -rf /out/share
