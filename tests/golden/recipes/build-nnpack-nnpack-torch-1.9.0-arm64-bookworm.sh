mkdir -p /out/lib /out/include/nnpack
cp /recipe/runner/convolution.h /out/include/nnpack/
# pytorch/pytorch v1.9.0 has NNPACK c07e3a0 as third_party/NNPACK and links it into libtorch_cpu.so
# (cmake/External/nnpack.cmake). Only the convolution is called there, so only that is in it. The
# other two are what libtorch_cpu.so needs beside libc, libstdc++ and libgcc_s.
for name in libtorch_cpu.so libc10.so libgomp-d22c30c5.so.1; do
  cp -a /src/torch/torch/lib/"$name" /out/lib/
done
python3 /recipe/hide.py /out/lib/libtorch_cpu.so nnp_ pthreadpool_
