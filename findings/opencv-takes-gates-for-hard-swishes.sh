#!/usr/bin/env bash
# A value times the HardSigmoid of another one, as MobileNet v3's gates are, is computed by OpenCV's dnn,
# 4.14.0, as the other one times its own HardSigmoid: a HardSwish, whatever is multiplied by it. Where the
# two have one size nothing is said; where the gate is a single pixel the answer is of its size. Of a
# Sigmoid, or of a HardSigmoid taken apart (times 1/6, plus 1/2, clipped), the same product is right.
# buildmatrix writes the latter for OpenCV: the format onnx-opencv.
#
# Seen on 2026-12-01 with opencv-python-headless 4.14.0.94 beside onnxruntime 1.31.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  numpy==2.4.6 onnx==1.22.0 onnxruntime==1.31.1 opencv-python-headless==4.14.0.94

"$folder/venv/bin/python" - <<'PYTHON'
import cv2
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

PICTURE = np.random.default_rng(4).standard_normal((1, 2, 9, 9)).astype(np.float32)
NUMBERS = {"sixth": 1 / 6, "half": 0.5, "low": 0, "high": 1}
APART = [("Mul", "t sixth", "a"), ("Add", "a half", "b"), ("Clip", "b low high", "g")]


def off(*gate):
    """The largest difference between the two, over the largest value, of x times what `gate` makes
    of tanh(x)."""
    nodes = [("Tanh", "x", "t"), *gate, ("Mul", "x g", "y")]
    hard = {"HardSigmoid": {"alpha": 1 / 6, "beta": 0.5}}
    made = [helper.make_node(k, i.split(), [o], name=o, **hard.get(k, {})) for k, i, o in nodes]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2, 9, 9]) for n in "xy"]
    read = {name for node in made for name in node.input}
    weights = [numpy_helper.from_array(np.float32(v), n) for n, v in NUMBERS.items() if n in read]
    graph = helper.make_graph(made, "gate", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    file = model.SerializeToString()
    (right,) = onnxruntime.InferenceSession(file).run(None, {"x": PICTURE})
    net = cv2.dnn.readNetFromONNX(np.frombuffer(file, np.uint8))
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.setInput(PICTURE)
    return float(np.abs(net.forward() - right).max() / np.abs(right).max())


print("OpenCV", cv2.__version__, "beside onnxruntime", onnxruntime.__version__)
found = {
    "HardSigmoid": off(("HardSigmoid", "t", "g")),
    "HardSigmoid taken apart": off(*APART),
    "Sigmoid": off(("Sigmoid", "t", "g")),
}
for words, error in found.items():
    print(f"{words}: off by {error:.2g}")
wrong = [words for words, error in found.items() if error > 1e-3]
assert wrong == ["HardSigmoid"], wrong
PYTHON
