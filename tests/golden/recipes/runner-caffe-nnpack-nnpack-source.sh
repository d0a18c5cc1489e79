# libcaffe.so's own needs, the cell's BLAS among them, come with the bundle. noexecstack: NNPACK's
# assembler files for 32-bit ARM carry no .note.GNU-stack (include/nnpack/assembly.h). PyTorch's
# library shows nothing but NNPACK and pthreadpool (recipe nnpack, hide.py): the OpenBLAS inside it
# does not stand in for the cell's, though the loader comes to it first.
set -- -L/deps/nnpack-deps/lib -lnnpack -lpthreadpool -lcpuinfo
arm-linux-gnueabihf-g++ -std=c++14 -O2 -march=armv7-a -mfpu=neon-vfpv4 -mfloat-abi=hard -marm -DCPU_ONLY \
  -I/harness -I/deps/caffe/include -I/deps/openblas/include \
  -o runner /harness/harness.cpp /recipe/runner/engine.cpp /deps/caffe-nnpack/lib/nnpack_layer.o \
  -L/deps/nnpack/lib "$@" \
  -L/deps/caffe/lib -Wl,--no-as-needed -lcaffe -Wl,--as-needed \
  -lboost_system -lprotobuf -lglog -lgflags -lpthread -lm -Wl,--allow-shlib-undefined \
  -Wl,-z,noexecstack -Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'
mkdir -p /out/bin
cp runner /out/bin/runner
