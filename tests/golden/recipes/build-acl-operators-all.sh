# ARM-software/ComputeLibrary v24.11. Operators are names of filelist.json (cpu, operators), the
# attributes those of SConscript's get_attrs_list for data_type_support=fp32, both data layouts and
# 32-bit ARM. As SConstruct's default there are no fixed format kernels. SConstruct compiles for
# armv7a as Thumb with -mfpu=neon; here the toolchain's flags decide. Dequantize is what Gemm's
# experimental operators call and its dependencies in filelist.json do not name.
cmake -S /recipe -B build -G Ninja \
  -DCMAKE_TOOLCHAIN_FILE=/toolchain.cmake \
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_SKIP_RPATH=ON \
  -DACL=/src/acl \
  -DATTRIBUTES="fp32;nhwc;nchw;estate32"
ninja -C build -j "$JOBS"

# The folders of headers that SConstruct installs, without those of OpenCL and of its tests.
mkdir -p /out/lib /out/include
cp build/libarm_compute.so /out/lib/
cd /src/acl
cp -a arm_compute support include/half /out/include/
