mkdir -p /out/lib /out/include/nnpack
cp /recipe/runner/convolution.h /out/include/nnpack/
# Maratyszcza/NNPACK, CMakeLists.txt. CMAKE_SYSTEM_PROCESSOR must be armv7l here: arm and armv7 are
# refused. On ARM the backend is neon, and its files get -mfpu=neon-fp16 behind our own -mfpu; that
# of x86-64 wants PeachPy, so psimd there. Undefined, each *_SOURCE_DIR would be cloned from master.
# Inference only leaves out what a forward pass never calls.
cmake -G Ninja -S /src/nnpack -B build \
  -DCMAKE_TOOLCHAIN_FILE=/toolchain.cmake -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_INSTALL_PREFIX=/out -DCMAKE_INSTALL_LIBDIR=lib \
  -DCMAKE_PROJECT_NNPACK_INCLUDE=/recipe/dependencies.cmake \
  -DNNPACK_DEPS=/deps/nnpack-deps \
  -DCPUINFO_SOURCE_DIR=/deps/nnpack-deps \
  -DPTHREADPOOL_SOURCE_DIR=/deps/nnpack-deps \
  -DFXDIV_SOURCE_DIR=/deps/nnpack-deps \
  -DFP16_SOURCE_DIR=/deps/nnpack-deps \
  -DPSIMD_SOURCE_DIR=/deps/nnpack-deps \
  -DNNPACK_BACKEND=auto \
  -DNNPACK_LIBRARY_TYPE=static -DNNPACK_INFERENCE_ONLY=ON -DNNPACK_BUILD_TESTS=OFF
ninja -C build -j "$JOBS" nnpack
cp build/libnnpack.a /out/lib/
cp -a /src/nnpack/include/nnpack.h /out/include/
