# Variables of apache/mxnet 1.0, Makefile and make/config.mk, and of its mshadow/make/mshadow.mk:
#   USE_NNPACK     -DMXNET_USE_NNPACK=1 -lnnpack; what libnnpack.a needs itself follows behind it
#   USE_SSE        left out, mshadow.mk says -msse3
#   USE_JEMALLOC,  left out, the Makefile looks for them on the build machine
#   USE_GPERFTOOLS
# NNPACK's nnpack.h keeps the calls of that time for C++ (its last lines), but not one name:
# tuple_based (src/operator/nnpack/nnpack_convolution-inl.h) is compute now. noexecstack: NNPACK's
# assembler files carry no .note.GNU-stack. 64-bit atomics on 32-bit ARM are in libatomic.
cp -a /src/mxnet/. .
make -j"$JOBS" lib/libmxnet.so \
  CC=arm-linux-gnueabihf-gcc CXX=arm-linux-gnueabihf-g++ AR=arm-linux-gnueabihf-ar \
  USE_BLAS=openblas USE_NNPACK=1 USE_OPENMP=1 USE_OPENCV=0 USE_CUDA=0 USE_LAPACK=0 USE_SSE=0 \
  USE_JEMALLOC=0 USE_GPERFTOOLS=0 USE_DIST_KVSTORE=0 USE_SIGNAL_HANDLER=0 \
  ADD_CFLAGS='-march=armv7-a -mfpu=neon-vfpv4 -mfloat-abi=hard -marm -I/deps/openblas/include -I/deps/nnpack/include -I/deps/nnpack-deps/include -Dnnp_convolution_transform_strategy_tuple_based=nnp_convolution_transform_strategy_compute' \
  ADD_LDFLAGS='-L/deps/openblas/lib -L/deps/nnpack/lib -L/deps/nnpack-deps/lib -lpthreadpool -lcpuinfo -latomic -Wl,-z,noexecstack'
mkdir -p /out/lib /out/include
cp lib/libmxnet.so /out/lib/
cp -a include/mxnet /out/include/
