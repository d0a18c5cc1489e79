"""TensorFlow 1.x: a frozen GraphDef, channels last, with a batch of any size.

Only operators whose kernels are in tensorflow/contrib/makefile/tf_op_files.txt of 1.15, and of 1.0
too but for the depthwise convolution. That list has CPU kernels, which know NHWC alone.
Sources: tensorflow/tensorflow r1.15, tensorflow/core/framework/{graph,node_def,attr_value,tensor,
tensor_shape,types,versions}.proto, and tensorflow/core/ops/{nn,array,math}_ops.cc for attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from buildmatrix.export import layout
from buildmatrix.export.messages import messages
from buildmatrix.layers import ConvSpec, FcSpec, PoolSpec, ReluSpec, SoftmaxSpec
from buildmatrix.network import INPUT, input_shape, steps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from buildmatrix.export.messages import Schema
    from buildmatrix.network import NetworkSpec, Step
    from buildmatrix.reference import Parameters

SCHEMA: Schema = {
    "GraphDef": {"node": (1, "NodeDef*"), "versions": (4, "VersionDef")},
    "NodeDef": {
        "name": (1, "string"),
        "op": (2, "string"),
        "input": (3, "string*"),
        "attr": (5, "AttrEntry*"),  # map<string, AttrValue>: on the wire, such pairs
    },
    "AttrEntry": {"key": (1, "string"), "value": (2, "AttrValue")},
    "AttrValue": {
        "list": (1, "ListValue"),
        "s": (2, "bytes"),
        "i": (3, "int64"),
        "b": (5, "bool"),
        "type": (6, "int32"),  # DataType
        "shape": (7, "TensorShapeProto"),
        "tensor": (8, "TensorProto"),
    },
    "ListValue": {"i": (3, "int64**")},
    "TensorProto": {
        "dtype": (1, "int32"),
        "tensor_shape": (2, "TensorShapeProto"),
        "tensor_content": (4, "bytes"),
    },
    "TensorShapeProto": {"dim": (2, "Dim*")},
    "Dim": {"size": (1, "int64")},
    "VersionDef": {"producer": (1, "int32")},
}
FLOAT, INT32 = 1, 3  # DataType
PRODUCER = 21  # TF_GRAPH_DEF_VERSION of TensorFlow 1.0: nothing newer is asked of the reader

Node = dict[str, Any]
T: dict[str, Any] = {"T": {"type": FLOAT}}


def write(net: NetworkSpec, parameters: tuple[Parameters, ...]) -> Mapping[str, bytes]:
    learnt = {p.layer: p for p in parameters}
    channels, height, width = input_shape(net)
    nodes = [
        _node(
            "Placeholder",
            INPUT,
            dtype={"type": FLOAT},
            shape={"shape": _shape((-1, height, width, channels))},
        )
    ]
    before, flat = INPUT, False
    for step in steps(net):
        if isinstance(step.layer, FcSpec) and not flat:
            flat = True
            nodes += _flatten(step, before)
            before = nodes[-1]["name"]
        nodes += _layer(step, before, learnt)
        before = nodes[-1]["name"]
    graph = messages("tensorflow", SCHEMA)["GraphDef"]
    return {"graph.pb": graph(node=nodes, versions={"producer": PRODUCER}).SerializeToString()}


def _layer(step: Step, before: str, learnt: Mapping[str, Parameters]) -> list[Node]:
    """The nodes of a layer; the last has the layer's name."""
    layer = step.layer
    match layer:
        case ConvSpec(name=name):
            return [*_convolution(step, layer, before, learnt[name]), *_bias(learnt[name])]
        case FcSpec(name=name):
            turned = {"transpose_a": {"b": False}, "transpose_b": {"b": False}}
            weight = layout.arranged(step, learnt[name].weight, lite=False)
            return [
                _constant(f"{name}/weights", weight),
                _node("MatMul", f"{name}/product", before, f"{name}/weights", **T, **turned),
                *_bias(learnt[name]),
            ]
        case PoolSpec(name=name, method=method):
            (kernel, _), (stride, _), *_ = layer.window
            kind = "MaxPool" if method == "max" else "AvgPool"
            window = {"ksize": _sizes(kernel), "strides": _sizes(stride), **_padding("VALID")}
            return [_node(kind, name, before, **T, **window)]
        case ReluSpec(name=name):
            return [_node("Relu", name, before, **T)]
        case SoftmaxSpec(name=name):
            return [_node("Softmax", name, before, **T)]
        case _:
            raise AssertionError(f"able.check lets no {layer.type} through")


def _convolution(step: Step, layer: ConvSpec, before: str, learnt: Parameters) -> list[Node]:
    name = layer.name
    nodes = [_constant(f"{name}/weights", layout.arranged(step, learnt.weight, lite=False))]
    same = layout.same_padding(layer)
    _, (stride, _), (pad, *_), _ = layer.window
    if pad and not same:
        sides = np.array([[0, 0], [pad] * 2, [pad] * 2, [0, 0]], np.int32)
        nodes += [
            _constant(f"{name}/sides", sides),
            _node("Pad", f"{name}/pad", before, f"{name}/sides", **T, Tpaddings={"type": INT32}),
        ]
        before = f"{name}/pad"
    kind = "Conv2D" if layer.groups == 1 else "DepthwiseConv2dNative"
    how = {"strides": _sizes(stride), **_padding("SAME" if same else "VALID")}
    return [*nodes, _node(kind, f"{name}/product", before, f"{name}/weights", **T, **how)]


def _bias(learnt: Parameters) -> list[Node]:
    name = learnt.layer
    inputs = (f"{name}/product", f"{name}/biases")
    order = {"data_format": {"s": b"NHWC"}}
    return [_constant(inputs[1], learnt.bias), _node("BiasAdd", name, *inputs, **T, **order)]


def _flatten(step: Step, before: str) -> list[Node]:
    channels, height, width = step.before
    name = f"{step.layer.name}/flat"
    return [
        _constant(f"{name}/shape", np.array([-1, height * width * channels], np.int32)),
        _node("Reshape", name, before, f"{name}/shape", **T, Tshape={"type": INT32}),
    ]


def _sizes(size: int) -> dict[str, Any]:
    return {"list": {"i": [1, size, size, 1]}}


def _padding(kind: str) -> dict[str, Any]:
    return {"padding": {"s": kind.encode()}, "data_format": {"s": b"NHWC"}}


def _constant(name: str, values: NDArray[Any]) -> Node:
    kind = INT32 if values.dtype == np.int32 else FLOAT
    content = values.astype("<i4" if kind == INT32 else "<f4").tobytes()
    tensor = {"dtype": kind, "tensor_shape": _shape(values.shape), "tensor_content": content}
    return _node("Const", name, dtype={"type": kind}, value={"tensor": tensor})


def _shape(sizes: tuple[int, ...]) -> dict[str, Any]:
    return {"dim": [{"size": size} for size in sizes]}


def _node(op: str, name: str, *inputs: str, **attributes: dict[str, Any]) -> Node:
    pairs = [{"key": key, "value": attributes[key]} for key in sorted(attributes)]
    return {"name": name, "op": op, "input": list(inputs), "attr": pairs}
