#!/usr/bin/env bash
# A network in int8 as ONNX writes it: QuantizeLinear and DequantizeLinear around each node. What
# onnxruntime 1.32.0 (PyPI) on x86-64 makes of it with its default options, without a word:
# - values of int8 that one node reads each: convolutions in whole numbers (QLinearConv), after it
#   has changed the values to uint8, which its kernels here are quicker with;
# - one value of int8 that two nodes read: it stays int8 where its neighbours are made uint8, and
#   each convolution that makes or reads it is computed in floats, on weights that are widened again;
# - the same value written as uint8: whole numbers, whoever reads it;
# - session.qdqisint8allowed=1, which is the default on ARM: whole numbers as well.
# So the int8 network of a residual block is a float network on a PC and none on the board.
set -euo pipefail

[ "$(uname -m)" = x86_64 ] || { echo "of x86-64 alone"; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0

cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from collections import Counter

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

ALLOWED = "session.qdqisint8allowed"


class Graph:
    def __init__(self, kind):
        self.kind, self.nodes, self.constants = kind, [], []

    def constant(self, values):
        name = f"k{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, operator, *inputs, **how):
        name = f"{operator}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **how))
        return name

    def whole(self, value):
        zero = np.int8(-128) if self.kind == "int8" else np.uint8(0)
        ends = self.constant(np.float32(1 / 64)), self.constant(zero)
        return self.node("DequantizeLinear", self.node("QuantizeLinear", value, *ends), *ends)

    def convolution(self, value):
        weights = np.random.default_rng(0).integers(-9, 9, (4, 4, 3, 3)).astype(np.int8)
        ends = self.constant(np.full(4, 1 / 99, np.float32)), self.constant(np.zeros(4, np.int8))
        wide = self.node("DequantizeLinear", self.constant(weights), *ends, axis=0)
        return self.node("Relu", self.node("Conv", value, wide, pads=[1, 1, 1, 1]))


def became(kind, readers, config=None):
    graph = Graph(kind)
    shared = graph.whole(graph.convolution(graph.whole("x")))
    ends = [graph.whole(graph.convolution(shared)) for _ in range(readers)]
    last = ends[0] if readers == 1 else graph.node("Add", *ends)
    last = graph.whole(last)
    size = [1, 4, 8, 8]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, size)],
            [helper.make_tensor_value_info(last, TensorProto.FLOAT, size)],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=7,
    )
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = "out.onnx", 3
    for name, value in (config or {}).items():
        options.add_session_config_entry(name, value)
    onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    kinds = Counter(node.op_type for node in onnx.load("out.onnx").graph.node)
    whole = kinds["QLinearConv"]
    floats = kinds["Conv"] + kinds["FusedConv"]
    print(f"{kind}, read by {readers}, {config or 'defaults'}: {whole} whole, {floats} in floats")
    return whole, floats


assert became("int8", 1) == (2, 0)
assert became("int8", 2) == (0, 3)
assert became("uint8", 2) == (3, 0)
assert became("int8", 2, {ALLOWED: "1"}) == (3, 0)
print("as described")
PYTHON
