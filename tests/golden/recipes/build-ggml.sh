# Options as in ggml 0.15.3, CMakeLists.txt; what is not named here stands at upstream's default
# (OpenMP on). GGML_NATIVE: or the flags would be those of this machine. GGML_CCACHE: the compiler
# is behind one already.
cmake -S /src/ggml/vendor/ggml -B build \
  -DCMAKE_TOOLCHAIN_FILE=/toolchain.cmake \
  -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_INSTALL_PREFIX=/out -DCMAKE_INSTALL_LIBDIR=lib \
  -DCMAKE_SKIP_RPATH=ON \
  -DCMAKE_REQUIRE_FIND_PACKAGE_OpenMP=ON \
  -DBUILD_SHARED_LIBS=ON \
  -DGGML_NATIVE=OFF -DGGML_CCACHE=OFF \
  -DGGML_BUILD_TESTS=OFF -DGGML_BUILD_EXAMPLES=OFF
make -C build -j"$JOBS"
make -C build install/fast
rm -rf /out/lib/cmake /out/lib/pkgconfig /out/share
