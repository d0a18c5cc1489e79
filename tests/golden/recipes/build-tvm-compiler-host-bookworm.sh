# Packages beside each other, as pip would install them, without what belongs to graphics cards and
# to tests; and a Python that finds them where this folder lies.
to=/out/lib/python
mkdir -p "$to" /out/bin
for wheel in /src/tvm /src/ffi /src/numpy /src/ml-dtypes \
  /src/onnx /src/protobuf /src/typing-extensions; do
  cp -a "$wheel/." "$to/"
done
cp -a /src/stdlib/usr/lib/python3.11 /out/lib/
rm -rf "$to/tvm/3rdparty" "$to/tvm/lib/libtvm_runtime_cuda.so" "$to/onnx/backend/test"
find "$to" /out/lib/python3.11 -type d '(' -name tests -o -name __pycache__ ')' -prune -exec rm -r {} +
cat > /out/bin/tvm-python <<'PYTHON'
#!/bin/sh
lib=$(dirname "$0")/../lib
export PYTHONPATH="$lib/python3.11:$lib/python3.11/lib-dynload:$lib/python" PYTHONDONTWRITEBYTECODE=1
exec python3 "$@"
PYTHON
chmod +x /out/bin/tvm-python
# The same answer as in the runner's script, while what is missing is this recipe's fault.
/out/bin/tvm-python -c 'import onnx, tvm'
