#!/usr/bin/env bash
# The reference evaluator of onnx 1.23.2, which is written to say what ONNX's operators mean, does
# not answer as the operators' own text says for four that networks are made of:
# - LRN normalizes as many channels as the batch has images: the loop runs over the wrong size;
# - BatchNormalization of the sets 9 to 13 mixes the batch's own mean and variance in;
# - LpNormalization with p=1 divides by the sum of the values and not of their magnitudes;
# - Softmax before set 13 does not flatten from its axis on, which is 1 by default.
# onnxruntime 1.32.0 answers as the text says. So that evaluator is no judge of a library here.
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
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

X = np.random.default_rng(0).standard_normal((1, 4, 5, 5)).astype(np.float32)
ONE, ZERO = np.ones(4, np.float32), np.zeros(4, np.float32)


def answers(kind, opset, weights=None, **how):
    """Of the evaluator and of onnxruntime."""
    weights = weights or {}
    size = X.shape
    graph = helper.make_graph(
        [helper.make_node(kind, ["x", *weights], ["y"], **how)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, size)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, size)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return ReferenceEvaluator(model).run(None, {"x": X})[0], session.run(None, {"x": X})[0]


around = np.pad(X**2, ((0, 0), (1, 1), (0, 0), (0, 0)))
squares = sum(around[:, at : at + 4] for at in range(3))
norm = {"scale": ONE, "bias": ZERO, "mean": ZERO, "var": 4 * ONE}
powers = np.exp(X)
CASES = {
    "LRN-13": (answers("LRN", 13, size=3, alpha=0.5, beta=0.75, bias=2.0),
               X / (2 + 0.5 / 3 * squares) ** 0.75),
    "BatchNormalization-9": (answers("BatchNormalization", 9, norm), X / np.sqrt(4 + 1e-5)),
    "BatchNormalization-13": (answers("BatchNormalization", 13, norm), X / np.sqrt(4 + 1e-5)),
    "BatchNormalization-14": (answers("BatchNormalization", 14, norm), X / np.sqrt(4 + 1e-5)),
    "LpNormalization-1": (answers("LpNormalization", 13, axis=1, p=1),
                          X / np.abs(X).sum(axis=1, keepdims=True)),
    "Softmax-12": (answers("Softmax", 12), powers / powers.sum()),
    "Softmax-13": (answers("Softmax", 13), powers / powers.sum(axis=3, keepdims=True)),
}
print("onnx", onnx.__version__, "onnxruntime", onnxruntime.__version__)
wrong = set()
for name, ((reference, runtime), text) in CASES.items():
    off = [float(np.abs(one - text).max()) for one in (reference, runtime)]
    print(f"{name:<22} off by: evaluator {off[0]:8.1e}   onnxruntime {off[1]:8.1e}")
    if off[0] > 1e-3:
        wrong.add(name)
    if off[1] > 1e-3:
        sys.exit(f"onnxruntime: {name}")
lrn = np.abs(CASES["LRN-13"][0][0] - CASES["LRN-13"][1]).max(axis=(0, 2, 3))
print("LRN, by channel, of one image:", np.array2string(lrn, precision=2))
expected = {"LRN-13", "BatchNormalization-9", "BatchNormalization-13", "LpNormalization-1",
            "Softmax-12"}
sys.exit(wrong != expected)
PYTHON
