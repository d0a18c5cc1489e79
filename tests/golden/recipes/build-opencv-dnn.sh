# Options as in OpenCV 4.14.0, CMakeLists.txt; what is not named here stands at upstream's default.
# CPU_BASELINE: by itself the build would put -mfpu=neon in the place of the toolchain's -mfpu; so
# it asks what the compiler can do as it is called. WITH_*: no other backend, and nothing that
# upstream would fetch; the folder for that is made all the same, by itself among the sources.
# Without FlatBuffers it has no reader of TensorFlow Lite's files, which drops the bias of fully
# connected layers. BUILD_INFO_SKIP_*: the day, and the kernel of this machine. The folder that it
# is compiled in is in its messages, in two places to look for pictures in (of which one is the way
# from it to the sources), and, by the flag that keeps it out of the messages, in what it says of its
# own build.
export CFLAGS="-ffile-prefix-map=$PWD=." CXXFLAGS="-ffile-prefix-map=$PWD=."
cmake -S /src/opencv/opencv -B build \
  -DCMAKE_TOOLCHAIN_FILE=/toolchain.cmake \
  -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_INSTALL_PREFIX=/out -DOPENCV_LIB_INSTALL_PATH=lib \
  -DCMAKE_SKIP_RPATH=ON \
  -DOPENCV_DOWNLOAD_PATH="$PWD/downloads" \
  -DBUILD_LIST=core,imgproc,dnn \
  -DBUILD_SHARED_LIBS=ON \
  -DCPU_BASELINE=DETECT -DCPU_DISPATCH= \
  -DWITH_PTHREADS_PF=ON -DWITH_OPENMP=OFF -DWITH_TBB=OFF \
  -DWITH_PROTOBUF=ON -DBUILD_PROTOBUF=ON -DWITH_FLATBUFFERS=OFF \
  -DBUILD_ZLIB=ON -DWITH_ITT=OFF -DWITH_IPP=OFF -DWITH_LAPACK=OFF -DWITH_EIGEN=OFF \
  -DWITH_KLEIDICV=OFF -DWITH_FASTCV=OFF -DWITH_ADE=OFF -DWITH_VA=OFF \
  -DWITH_OPENCL=OFF -DOPENCV_DNN_OPENCL=OFF -DWITH_CUDA=OFF -DWITH_VULKAN=OFF -DWITH_OPENVINO=OFF \
  -DBUILD_TESTS=OFF -DBUILD_PERF_TESTS=OFF -DBUILD_EXAMPLES=OFF -DBUILD_DOCS=OFF \
  -DBUILD_opencv_apps=OFF -DBUILD_JAVA=OFF -DBUILD_opencv_python3=OFF -DBUILD_opencv_js=OFF \
  -DBUILD_INFO_SKIP_TIMESTAMP=ON -DBUILD_INFO_SKIP_SYSTEM_VERSION=ON \
  -DOPENCV_GENERATE_PKGCONFIG=OFF
sed -i -e "s|\"$PWD/build\"|\"\"|" -e "s|\"[./]*/src/opencv/opencv/\"|\"\"|" \
  build/opencv_data_config.hpp
sed -i "s| *-ffile-prefix-map=$PWD=\.||" build/modules/core/version_string.inc
make -C build -j"$JOBS" opencv_dnn
make -C build install/fast
