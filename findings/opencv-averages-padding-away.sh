#!/usr/bin/env bash
# An ONNX AveragePool that counts its padding (count_include_pad: 1, PyTorch's default) is averaged over
# the picture alone by OpenCV's dnn, 4.14.0, and a depthwise 3x3 convolution whose pads differ between
# sides, as TensorFlow's 'SAME' writes them, is off as well. Nothing is said, and of other pads or
# without groups the same file is right. So a network may be wrong here by one layer, at its edges; a
# picture's class often stays what it was. (A pointwise convolution with pads answers with numbers that
# are in no file; that one is not shown.) buildmatrix drops such cells: the format onnx-opencv.
#
# Seen on 2026-11-30 with opencv-python-headless 4.14.0.94 beside onnxruntime 1.31.1.
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

SIZES = ["batch", 2, 9, 9], ["batch", "channels", "height", "width"]
WEIGHTS = np.random.default_rng(3).standard_normal((2, 1, 3, 3)).astype(np.float32)
PICTURE = np.random.default_rng(4).standard_normal((1, 2, 9, 9)).astype(np.float32)


def off(kind, inputs, **how):
    """The largest difference between the two, over the largest value."""
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, size)
        for name, size in zip("xy", SIZES, strict=True)
    ]
    weights = [numpy_helper.from_array(WEIGHTS, "w")] if "w" in inputs else []
    node = helper.make_node(kind, inputs, ["y"], **how)
    graph = helper.make_graph([node], "one", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    file = model.SerializeToString()
    (right,) = onnxruntime.InferenceSession(file).run(None, {"x": PICTURE})
    net = cv2.dnn.readNetFromONNX(np.frombuffer(file, np.uint8))
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.setInput(PICTURE)
    return float(np.abs(net.forward() - right).max() / np.abs(right).max())


print("OpenCV", cv2.__version__, "beside onnxruntime", onnxruntime.__version__)
pool = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
found = {
    "average, padding left out": off("AveragePool", ["x"], **pool),
    "average, padding counted": off("AveragePool", ["x"], count_include_pad=1, **pool),
    "convolution, pads 1 1 2 2": off("Conv", ["x", "w"], group=2, pads=[1, 1, 2, 2]),
    "convolution, pads 1 1 1 1": off("Conv", ["x", "w"], group=2, pads=[1, 1, 1, 1]),
}
for words, error in found.items():
    print(f"{words}: off by {error:.2g}")
wrong = [words for words, error in found.items() if error > 1e-3]
assert wrong == ["average, padding counted", "convolution, pads 1 1 2 2"], wrong
PYTHON
