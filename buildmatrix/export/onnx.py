"""ONNX, with a batch of any size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onnx import TensorProto, checker, helper, numpy_helper

from buildmatrix.network import (
    INPUT,
    ConvSpec,
    FcSpec,
    PoolSpec,
    ReluSpec,
    SoftmaxSpec,
    input_shape,
    shapes,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from onnx import NodeProto

    from buildmatrix.network import Layer, NetworkSpec
    from buildmatrix.reference import Parameters

OPERATORS = 13  # of 2020; the first whose Softmax is over one axis
IR_VERSION = 7  # the file format of the same release, 1.8: every reader in use knows it


def write(net: NetworkSpec, parameters: tuple[Parameters, ...]) -> Mapping[str, bytes]:
    initializers = [
        numpy_helper.from_array(values, f"{p.layer}.{kind}")
        for p in parameters
        for kind, values in (("weight", p.weight), ("bias", p.bias))
    ]
    size = shapes(net)[-1]
    flat = any(isinstance(layer, FcSpec) for layer in net.layers)
    output: list[str | int | None] = ["batch", size.channels] if flat else ["batch", *size]
    number = TensorProto.FLOAT
    graph = helper.make_graph(
        _nodes(net),
        net.name,
        [helper.make_tensor_value_info(INPUT, number, ["batch", *input_shape(net)])],
        [helper.make_tensor_value_info(net.layers[-1].name, number, output)],
        initializers,
    )
    model = helper.make_model(
        graph,
        producer_name="buildmatrix",
        opset_imports=[helper.make_opsetid("", OPERATORS)],
        ir_version=IR_VERSION,
    )
    checker.check_model(model)
    return {"net.onnx": model.SerializeToString(deterministic=True)}


def _nodes(net: NetworkSpec) -> list[NodeProto]:
    nodes = []
    before, flat = INPUT, False
    for layer in net.layers:
        inputs = [before]
        if isinstance(layer, FcSpec) and not flat:
            flat = True
            inputs = [f"{layer.name}.flat"]
            nodes.append(helper.make_node("Flatten", [before], inputs, inputs[0], axis=1))
        if isinstance(layer, ConvSpec | FcSpec):
            inputs += [f"{layer.name}.weight", f"{layer.name}.bias"]
        kind, settings = _kind(layer)
        nodes.append(helper.make_node(kind, inputs, [layer.name], layer.name, **settings))
        before = layer.name
    return nodes


def _kind(layer: Layer) -> tuple[str, dict[str, Any]]:
    match layer:
        case ConvSpec(kernel=kernel, stride=stride, pad=pad, groups=groups):
            return "Conv", {
                "kernel_shape": [kernel] * 2,
                "strides": [stride] * 2,
                "pads": [pad] * 4,
                "group": groups,
            }
        case PoolSpec(method=method, kernel=kernel, stride=stride):
            kind = "MaxPool" if method == "max" else "AveragePool"
            return kind, {"kernel_shape": [kernel] * 2, "strides": [stride] * 2}
        case FcSpec():
            return "Gemm", {"transB": 1}
        case ReluSpec():
            return "Relu", {}
        case SoftmaxSpec():
            return "Softmax", {"axis": 1}
