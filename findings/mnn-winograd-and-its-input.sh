#!/usr/bin/env bash
# MNN 3.6.1 (PyPI: mnn) as it comes computes a 5x5 convolution in float32 by Winograd's transforms, in
# tiles so large that the answer is off by more than 1e-4 of its largest value; with the hint
# WINOGRAD_MEMORY_LEVEL (3) at 0 it never does, and is off by less than 1e-5. A run leaves other values
# where its input was: a second one, without the input copied again, gives another answer, and nothing
# is said. And the converter gives each file another identifier: one network, two files.
# Only compiled functions are called: the package MNN.tools is not imported.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  numpy==2.4.6 onnx==1.22.0 mnn==3.6.1

cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from pathlib import Path

import _mnncengine as mnn
import _tools
import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

SIZE, LAYERS = (1, 16, 40, 40), 3
drawn = np.random.default_rng(1)
weights = [
    drawn.standard_normal((16, 16, 5, 5)).astype(np.float32) / np.float32(20) for _ in range(LAYERS)
]
image = drawn.standard_normal(SIZE).astype(np.float32)


def network():
    """Convolutions, each with a ReLU."""
    nodes, last = [], "x"
    for i in range(LAYERS):
        nodes.append(helper.make_node("Conv", [last, f"w{i}"], [f"c{i}"], pads=[2, 2, 2, 2]))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"]))
        last = f"r{i}"
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, SIZE) for name in ("x", last)
    ]
    held = [numpy_helper.from_array(w, f"w{i}") for i, w in enumerate(weights)]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], held)
    opset = [helper.make_opsetid("", 13)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8)


def expected():
    """The same in float64."""
    values = image[0].astype(np.float64)
    for w in weights:
        padded = np.pad(values, ((0, 0), (2, 2), (2, 2)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), (1, 2))
        values = np.maximum(np.einsum("oiyx,ihwyx->ohw", w.astype(np.float64), windows), 0)
    return values


def converted(name):
    _tools.mnnconvert(
        ["mnnconvert", "-f", "ONNX", "--modelFile", "net.onnx", "--MNNModel", name]
    )
    return Path(name).read_bytes()


def tensor(values):
    return mnn.Tensor(SIZE, mnn.Halide_Type_Float, values, mnn.Tensor_DimensionType_Caffe)


def answers(level):
    """Of two runs, the input copied before the first."""
    net = mnn.Interpreter("one.mnn")
    net.setSessionHint(3, level)
    session = net.createSession({"numThread": 1})
    net.getSessionInput(session).copyFrom(tensor(image))
    for _ in range(2):
        net.runSession(session)
        told = tensor(np.zeros(SIZE, np.float32))
        net.getSessionOutput(session).copyToHostTensor(told)
        yield np.array(told.getNumpyData()).reshape(SIZE[1:])


save(network(), "net.onnx")
one, other = converted("one.mnn"), converted("other.mnn")
right, errors, second = expected(), {}, {}
for level in (3, 0):
    first, again = answers(level)
    errors[level] = np.abs(first - right).max() / right.max()
    second[level] = np.abs(again - right).max() / right.max()
    print(f"level {level}: off by {errors[level]:.1e}, run again by {second[level]:.1e}")
assert errors[3] > 1e-4 > 1e-5 > errors[0], errors
assert min(second.values()) > 0.01, second
print(f"{sum(a != b for a, b in zip(one, other))} of {len(one)} bytes differ between two files")
assert one != other and len(one) == len(other)
print("as described")
PYTHON
