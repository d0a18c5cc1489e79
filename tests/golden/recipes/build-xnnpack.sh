# Options from google/XNNPACK 4ea82e5, CMakeLists.txt. Tests and benchmarks each turn
# XNNPACK_BUILD_ALL_MICROKERNELS on, which is thousands of files; without them it is the 514 that
# the library calls on 32-bit ARM. XNNPACK_USE_SYSTEM_LIBS keeps it from fetching its dependencies:
# it then looks for lib/ and include/ under each *_SOURCE_DIR. KleidiAI needs I8MM, which is off.
cmake -G Ninja -S /src/xnnpack -B build \
  -DCMAKE_TOOLCHAIN_FILE=/toolchain.cmake -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_INSTALL_PREFIX=/out -DCMAKE_INSTALL_LIBDIR=lib \
  -DXNNPACK_LIBRARY_TYPE=static \
  -DXNNPACK_BUILD_TESTS=OFF -DXNNPACK_BUILD_BENCHMARKS=OFF -DXNNPACK_BUILD_ALL_MICROKERNELS=OFF \
  -DXNNPACK_ENABLE_ARM_DOTPROD=OFF -DXNNPACK_ENABLE_ARM_I8MM=OFF -DXNNPACK_ENABLE_ARM_BF16=OFF \
  -DXNNPACK_ENABLE_ARM_FP16_SCALAR=OFF -DXNNPACK_ENABLE_ARM_FP16_VECTOR=OFF \
  -DXNNPACK_ENABLE_ARM_SME=OFF -DXNNPACK_ENABLE_ARM_SME2=OFF -DXNNPACK_ENABLE_KLEIDIAI=OFF \
  -DXNNPACK_USE_SYSTEM_LIBS=ON \
  -DCPUINFO_SOURCE_DIR=/deps/nnpack-deps \
  -DPTHREADPOOL_SOURCE_DIR=/deps/nnpack-deps \
  -DFXDIV_SOURCE_DIR=/deps/nnpack-deps
ninja -C build -j "$JOBS" XNNPACK
cmake --install build
