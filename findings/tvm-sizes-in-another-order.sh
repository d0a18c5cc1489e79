#!/usr/bin/env bash
# TVM compiles a network whose batch is open to other bytes each time: its pass VMShapeLower makes one
# function that computes all sizes which depend on the batch, and takes them in the order of addresses
# in memory. What it computes is the same. buildmatrix puts them in the order of their places, so that
# a runner made twice is the same file (recipes/tvm/runner/compile.py).
#
# Seen on 2026-11-30 with apache-tvm 0.27.0.post1, apache-tvm-ffi 0.1.15.post2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  apache-tvm==0.27.0.post1 apache-tvm-ffi==0.1.15.post2 ml_dtypes==0.6.0 numpy==2.4.6

cat > "$folder/order.py" <<'PYTHON'
import tvm
from tvm import relax, tirx
from tvm.relax.backend.cpu_generic import get_default_pipeline

target = tvm.target.Target({"kind": "llvm", "mtriple": "x86_64-linux-gnu"})
batch = tirx.Var("batch", "int64")
value = relax.Var("x", relax.TensorType([batch, 1], "float32"))
builder = relax.BlockBuilder()
with builder.function("main", [value]):
    with builder.dataflow():
        made = value
        for _ in range(8):
            made = builder.emit(relax.op.concat([made, made], axis=1))
            made = builder.emit(relax.op.nn.softmax(made, axis=1))
        out = builder.emit_output(made)
    builder.emit_func_output(out)
module = get_default_pipeline(target)(builder.get())
(sizes,) = (f for name, f in module.functions_items() if name.name_hint.startswith("shape_func"))
print(*(int(store.indices[0]) for store in sizes.body.seq))
PYTHON
for _ in 1 2 3 4 5 6; do
  "$folder/venv/bin/python" "$folder/order.py"
done | tee "$folder/orders"
test "$(sort -u "$folder/orders" | wc -l)" -gt 1
