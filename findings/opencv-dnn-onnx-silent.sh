#!/usr/bin/env bash
# OpenCV 5.0.0's dnn reads these ONNX files without a word and answers otherwise than onnxruntime
# 1.32.0 and than the operators' text:
# - Softmax of operator set 12 without an axis: the last one, as from set 13 on (sets 7 to 11 are
#   right). Of 1xCx1x1, as a classifier ends, every answer is then 1;
# - Conv and pooling with SAME_LOWER and an even window: padded at the end, as for SAME_UPPER;
# - Conv with SAME_UPPER and a dilation: padded as if there were none (onnxruntime refuses to run
#   it, so it is held against the same convolution with its pads written out);
# - ConvTranspose with output_shape: the shape is not looked at;
# - AveragePool rounded up that counts its padding: what is beyond the padding is counted as well;
# - PRelu with a slope for each column: taken for slopes of channels;
# - Resize to the nearest with `ceil`, enlarged by 1.5: the mode is not looked at.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 opencv-python-headless==5.0.0.93

cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import cv2
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(0)
X = RNG.standard_normal((1, 4, 9, 9)).astype(np.float32)
POOLED = RNG.standard_normal((1, 4, 1, 1)).astype(np.float32)
W3, W2 = (RNG.standard_normal((4, 4, side, side)).astype(np.float32) for side in (3, 2))


def model(node, weights, x, shape, opset):
    kind, inputs, how = node
    graph = helper.make_graph(
        [helper.make_node(kind, inputs, ["y"], **how)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString()


def case(kind, *, shape, inputs=("x",), weights=None, x=X, opset=13, instead=None, **how):
    """The answers of OpenCV and of onnxruntime, which is given the attributes `instead`."""
    content = model((kind, inputs, how), weights or {}, x, shape, opset)
    other = model((kind, inputs, how if instead is None else instead), weights or {}, x, shape, opset)
    net = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))
    net.setInput(x)
    session = onnxruntime.InferenceSession(other, providers=["CPUExecutionProvider"])
    return np.array(net.forward()), session.run(None, {"x": x})[0]


def softmax(opset):
    return case("Softmax", x=POOLED, shape=POOLED.shape, opset=opset)


lower = {"auto_pad": "SAME_LOWER", "strides": [2, 2]}
weighted = {"inputs": ("x", "w")}
CASES = {
    "Softmax-11": softmax(11),
    "Softmax-12": softmax(12),
    "Softmax-13": softmax(13),
    "Conv SAME_LOWER, 3x3": case("Conv", **weighted, weights={"w": W3}, shape=(1, 4, 5, 5), **lower),
    "Conv SAME_LOWER, 2x2": case("Conv", **weighted, weights={"w": W2}, shape=(1, 4, 5, 5), **lower),
    "MaxPool SAME_LOWER, 2x2": case("MaxPool", kernel_shape=[2, 2], shape=(1, 4, 5, 5), **lower),
    "Conv SAME_UPPER, dilated": case(
        "Conv", **weighted, weights={"w": W3}, shape=(1, 4, 9, 9), dilations=[2, 2],
        auto_pad="SAME_UPPER", instead={"dilations": [2, 2], "pads": [2, 2, 2, 2]}),
    "ConvTranspose output_shape": case(
        "ConvTranspose", **weighted, weights={"w": W3}, shape=(1, 4, 18, 18), strides=[2, 2],
        output_shape=[18, 18]),
    "AveragePool ceil, counted": case(
        "AveragePool", shape=(1, 4, 5, 5), kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1,
        count_include_pad=1),
    "PRelu of columns": case(
        "PRelu", **weighted, weights={"w": np.arange(9, dtype=np.float32)}, shape=X.shape),
    "Resize nearest, ceil": case(
        "Resize", inputs=("x", "", "s"), weights={"s": np.array([1, 1, 1.5, 1.5], np.float32)},
        shape=(1, 4, 13, 13), mode="nearest", nearest_mode="ceil",
        coordinate_transformation_mode="asymmetric"),
}
RIGHT = {"Softmax-11", "Softmax-13", "Conv SAME_LOWER, 3x3"}
print("OpenCV", cv2.__version__, "onnxruntime", onnxruntime.__version__)
seen = set()
for name, (opencv, runtime) in CASES.items():
    if opencv.shape != runtime.shape:
        print(f"{name:<28} OpenCV {opencv.shape}, onnxruntime {runtime.shape}")
    else:
        off = float(np.abs(opencv - runtime).max())
        print(f"{name:<28} off by {off:.1e}")
        if off < 1e-4:
            seen.add(name)
print("Softmax-12 of", POOLED.shape, "by OpenCV:", CASES["Softmax-12"][0].ravel())
sys.exit(seen != RIGHT)
PYTHON
