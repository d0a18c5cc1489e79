#!/usr/bin/env bash
# onnxruntime 1.32.0 has no kernel for ONNX's HardSwish on a CPU: with its basic optimizations on,
# and with all of them off, the operator is taken apart into HardSigmoid and Mul. Whoever simplifies
# a file with it gets two nodes for one, and a stack that has a fast HardSwish (TensorFlow Lite,
# ncnn) gets the slow form, unless the two are put together again.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0

cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

size = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])
leaving = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])
graph = helper.make_graph([helper.make_node("HardSwish", ["x"], ["y"])], "g", [size], [leaving])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model)
print("onnxruntime", onnxruntime.__version__, "onnx", onnx.__version__)
seen = {}
for level in ("ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_ALL"):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.optimized_model_filepath = f"{level}.onnx"
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    x = np.array([[-4, -1, 1, 4]], np.float32)
    (answer,) = session.run(None, {"x": x})
    seen[level] = sorted(node.op_type for node in onnx.load(f"{level}.onnx").graph.node)
    right = np.allclose(answer, x * np.clip(x / 6 + 0.5, 0, 1), atol=1e-6)
    print(f"{level}: {' '.join(seen[level])}; the answer is {'right' if right else 'wrong'}")
sys.exit(any(kinds != ["HardSigmoid", "Mul"] for kinds in seen.values()))
PYTHON
