# ARM-software/armnn v23.08: options from cmake/GlobalConfig.cmake. One backend, CpuAcc: without the
# reference one, what it cannot compute is an error and does not run on plain loops in silence.
# ARMCOMPUTE_LIBRARIES: the default also wants arm_compute_core, which in 24.11 is part of
# arm_compute. -Wno-error behind the -Werror of GlobalConfig.cmake, for the compiler and the Compute
# Library are newer.
#
# Of flatbuffers' library (google/flatbuffers v23.5.26, CMakeLists.txt, FlatBuffers_Library_SRCS) the
# parser needs one file; -z defs sees to it that it is enough.
arm-linux-gnueabihf-g++ -O2 -fPIC -march=armv7-a -mfpu=neon-vfpv4 -mfloat-abi=hard -marm -I/src/flatbuffers/include \
  -c /src/flatbuffers/src/util.cpp -o util.o
arm-linux-gnueabihf-ar rcs libflatbuffers.a util.o
cmake -S /src/armnn -B build -G Ninja -Wno-dev \
  -DCMAKE_TOOLCHAIN_FILE=/toolchain.cmake -DCMAKE_BUILD_TYPE=Release -DCMAKE_SKIP_RPATH=ON \
  -DCMAKE_CXX_FLAGS_RELEASE=-Wno-error -DUSE_CCACHE=OFF \
  -DARMNNREF=OFF -DARMCOMPUTENEON=ON -DBUILD_TF_LITE_PARSER=ON \
  -DBUILD_UNIT_TESTS=OFF -DARMNN_SAMPLE_APPS_ENABLED=OFF -DBUILD_TIMELINE_DECODER=OFF \
  -DBUILD_BASE_PIPE_SERVER=OFF -DBUILD_GATORD_MOCK=OFF \
  -DARMCOMPUTE_ROOT=/deps/acl \
  -DARMCOMPUTE_LIBRARIES=/deps/acl/lib/libarm_compute.so \
  -DTENSORFLOW_ROOT=/src/tensorflow \
  -DTF_LITE_GENERATED_PATH=/src/tensorflow/tensorflow/lite/schema \
  -DFLATBUFFERS_INCLUDE_PATH=/src/flatbuffers/include \
  -DFLATBUFFERS_LIBRARY="$PWD/libflatbuffers.a" -DCMAKE_SHARED_LINKER_FLAGS=-Wl,-z,defs
ninja -C build -j "$JOBS" armnn armnnTfLiteParser

mkdir -p /out/lib /out/include
cp -L build/libarmnn.so.33 build/libarmnnTfLiteParser.so.24 /out/lib/
ln -s libarmnn.so.33 /out/lib/libarmnn.so
ln -s libarmnnTfLiteParser.so.24 /out/lib/libarmnnTfLiteParser.so
# The runner writes the batch size into the model: schema_generated.h and what it includes.
cd /src/armnn
cp -a include/armnn include/armnnTfLiteParser include/armnnUtils \
  /src/flatbuffers/include/flatbuffers \
  /src/tensorflow/tensorflow/lite/schema/schema_generated.h /out/include/
