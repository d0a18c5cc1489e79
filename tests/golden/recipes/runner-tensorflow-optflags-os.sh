# Compiled as the library was: contrib/makefile/Makefile gives these macros (CXXFLAGS, and for
# TARGET=PI ANDROID_TYPES and RASPBERRY_PI), and they change TensorFlow's own headers. The whole
# archive is linked, because ops and kernels register themselves in constructors that nothing
# names (Makefile, LIBFLAGS).
optflags=-Os
arm-linux-gnueabihf-g++ -std=c++11 \
  -march=armv7-a -mfpu=vfpv3-d16 -mfloat-abi=hard -marm $optflags -w -Wno-psabi \
  -DIS_SLIM_BUILD -DNDEBUG -D__ANDROID_TYPES_SLIM__ -DRASPBERRY_PI \
  -I/harness -I/deps/tensorflow/include \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp \
  -L/deps/tensorflow/lib -Wl,--allow-multiple-definition \
  -Wl,--whole-archive -l:libtensorflow-core.a -Wl,--no-whole-archive \
  -l:nsync.a -l:libprotobuf.a -ldl -lpthread -lm \
  -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
