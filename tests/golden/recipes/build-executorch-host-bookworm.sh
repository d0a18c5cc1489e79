# The runtime, its thread pool and the XNNPACK backend. Not the kernels: a program that is one call
# of the backend has no operator of ExecuTorch's own.
wheel=/src/wheel/executorch
mkdir -p /out/lib /out/include
for name in libexecutorch libexecutorch_threadpool libexecutorch_backend_xnnpack; do
  cp "$wheel/lib/$name.so" /out/lib/
done
cp -a "$wheel/include/." /out/include/
