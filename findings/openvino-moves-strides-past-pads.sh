#!/usr/bin/env bash
# A 1x1 convolution with a stride reads every second pixel alone. OpenVINO 2026.4.1 (PyPI, its CPU
# plugin on x86-64) has what comes before it make only those: it moves the stride into it, past an
# activation or into another convolution. It does so too where the 1x1 convolution pads, and leaves
# the pads where they are, at the smaller size:
# - Relu, Conv 1x1 of stride 2 with pads: the answer is another one without a word, where a pooling
#   over all follows, or where the sizes come out the same; otherwise it has another shape than the
#   model says (and a layer behind it that knows the size is refused);
# - a Pad in front of it in place of pads: the same, for that is made its pads first;
# - reading the input itself, or without pads, or with another kernel: right.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1

cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper, numpy_helper

CORE = openvino.Core()
IMAGE = np.random.default_rng(1).normal(size=(1, 2, 8, 8)).astype(np.float32)


def became(before, kernel, stride, pads, behind="", apart=False):
    weights = np.random.default_rng(0).normal(size=(2, 2, kernel, kernel)).astype(np.float32)
    constants, nodes, last = [numpy_helper.from_array(weights, "w")], [], "x"
    way = f"{before or 'the input'}, {kernel}x{kernel} of stride {stride}, pads {pads}"
    way += " of a Pad" * apart + f", {behind}" * bool(behind)

    def add(kind, *more, **how):
        nonlocal last
        nodes.append(helper.make_node(kind, [last, *more], [kind], kind, **how))
        last = kind

    if before:
        add(before)
    if apart:
        sides = np.array([0, 0, *pads[:2], 0, 0, *pads[2:]])
        constants.append(numpy_helper.from_array(sides, "sides"))
        add("Pad", "sides")
        pads = [0] * 4
    add("Conv", "w", strides=[stride] * 2, pads=pads)
    if behind:
        add(behind)
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, IMAGE.shape),
        helper.make_tensor_value_info(last, TensorProto.FLOAT, None),
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    content = onnx.shape_inference.infer_shapes(model).SerializeToString()
    (right,) = onnxruntime.InferenceSession(content).run(None, {"x": IMAGE})
    compiled = CORE.compile_model(CORE.read_model(content), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answer = compiled(IMAGE)[0]
    if answer.shape != right.shape:
        found = f"of the shape {answer.shape} for {right.shape}"
    else:
        off = float(np.abs(answer - right).max())
        found = "right" if off < 1e-5 else f"off by {off:.2f}"
    print(f"{way}: {found}")
    return found.split()[0]


ALL, CORNER = [1, 1, 1, 1], [0, 1, 1, 0]
assert became("", 1, 2, ALL) == "right"
assert became("Relu", 1, 2, [0] * 4) == "right"
assert became("Relu", 2, 2, ALL) == "right"
assert became("Relu", 1, 2, ALL, "GlobalAveragePool") == "off"
assert became("Relu", 1, 3, ALL, "GlobalMaxPool") == "off"
assert became("Relu", 1, 2, CORNER) == "off"
assert became("Relu", 1, 2, ALL, "GlobalAveragePool", apart=True) == "off"
assert became("Relu", 1, 2, ALL) == "of"
print("as described")
PYTHON
