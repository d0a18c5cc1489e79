# microsoft/onnxruntime v1.21.0. Options: cmake/CMakeLists.txt. Names of what would be fetched:
# cmake/external/onnxruntime_external_deps.cmake, abseil-cpp.cmake and eigen.cmake; they are
# FetchContent's, so FETCHCONTENT_SOURCE_DIR_<NAME> gives a source instead, and
# FETCHCONTENT_FULLY_DISCONNECTED makes a forgotten one an error. SafeInt is looked for by its
# header (safeint_SOURCE_DIR).
mkdir -p cmake/bin deps/utf8_range
install -m 755 /src/cmake/cmake/data/bin/cmake cmake/bin/
ln -s /src/cmake/cmake/data/share cmake/share
# utf8_range is for protobuf from 22 on; it is asked for all the same.
touch deps/utf8_range/CMakeLists.txt
# The one of upstream's patches to these sources (cmake/patches) that is not for another system.
cp -a /src/onnx deps/onnx
patch -d deps/onnx -p1 --binary --ignore-whitespace \
  < /src/onnxruntime/cmake/patches/onnx/onnx.patch

# Only the kernels of these operators are registered and compiled: those of the networks here, and
# what ONNX Runtime fuses them into (FusedConv and FusedGemm are contrib operators, so these are not
# switched off). It is upstream's 'reduced operators' build: in the two files of registrations all
# others are left out, as tools/ci_build/reduce_op_kernels.py does, which needs more of Python than
# the toolchain has. Where cmake/onnxruntime_providers.cmake looks for the files:
reduced=build/op_reduction.generated/onnxruntime
mkdir -p "$reduced/core/providers/cpu" "$reduced/contrib_ops/cpu"
cd /src/onnxruntime/onnxruntime
cp core/providers/op_kernel_type_control_overrides.inc "$HOME/$reduced/core/providers/"
for file in core/providers/cpu/cpu_execution_provider.cc contrib_ops/cpu/cpu_contrib_kernels.cc; do
  perl -0pe '
    my %wanted = map { $_ => 1 } qw(
      kOnnxDomain:AveragePool kOnnxDomain:Conv kOnnxDomain:Flatten kOnnxDomain:Gemm
      kOnnxDomain:MaxPool kOnnxDomain:Relu kOnnxDomain:Softmax
      kMSDomain:FusedConv kMSDomain:FusedGemm);
    s{BuildKernelCreateInfo<ONNX_OPERATOR_\w+\(\s*kCpuExecutionProvider,\s*(\w+),([^()]*?)(\w+)\)>,}
     {$wanted{"$1:$3"} && index($2, "MLFloat16") < 0 ? $& : ""}ge' \
    "$file" > "$HOME/$reduced/$file"
done
cd "$HOME"

# Release as upstream's build.py has it, warnings being no errors. Upstream asks for -mfpu=neon in
# the CMake files for 32-bit ARM (onnxruntime_mlas.cmake), after our own -mfpu, for all of its files.
cmake/bin/cmake -S /src/onnxruntime/cmake -B build -G Ninja -Wno-dev \
  --compile-no-warning-as-error \
  -DCMAKE_TOOLCHAIN_FILE=/toolchain.cmake -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_PROJECT_onnxruntime_INCLUDE=/recipe/selected.cmake \
  -DCMAKE_DISABLE_FIND_PACKAGE_Git=ON \
  -Donnxruntime_BUILD_SHARED_LIB=ON -Donnxruntime_BUILD_UNIT_TESTS=OFF \
  -Donnxruntime_DISABLE_ML_OPS=ON -Donnxruntime_DISABLE_RTTI=OFF \
  -Donnxruntime_REDUCED_OPS_BUILD=ON \
  -DONNX_CUSTOM_PROTOC_EXECUTABLE=/usr/bin/protoc \
  -DFLATBUFFERS_BUILD_FLATC=OFF \
  -DFETCHCONTENT_FULLY_DISCONNECTED=ON \
  -DFETCHCONTENT_SOURCE_DIR_ABSEIL_CPP=/src/abseil \
  -DFETCHCONTENT_SOURCE_DIR_DATE=/src/date \
  -DFETCHCONTENT_SOURCE_DIR_EIGEN=/src/eigen \
  -DFETCHCONTENT_SOURCE_DIR_FLATBUFFERS=/src/flatbuffers \
  -DFETCHCONTENT_SOURCE_DIR_GSL=/src/gsl \
  -DFETCHCONTENT_SOURCE_DIR_NLOHMANN_JSON=/src/json \
  -DFETCHCONTENT_SOURCE_DIR_ONNX="$PWD/deps/onnx" \
  -DFETCHCONTENT_SOURCE_DIR_PROTOBUF=/src/protobuf \
  -DFETCHCONTENT_SOURCE_DIR_PYTORCH_CPUINFO=/src/cpuinfo \
  -DFETCHCONTENT_SOURCE_DIR_RE2=/src/re2 \
  -DFETCHCONTENT_SOURCE_DIR_UTF8_RANGE="$PWD/deps/utf8_range" \
  -Dsafeint_SOURCE_DIR=/src/safeint/usr/include/safeint
ninja -C build -j "$JOBS" onnxruntime

mkdir -p /out/lib /out/include
cp -L build/libonnxruntime.so.1 /out/lib/
cp /src/onnxruntime/include/onnxruntime/core/session/onnxruntime_c_api.h /out/include/
