"""TensorFlow Lite: float32, channels last, batch 1 and resizable.

ReLU is part of the layer before it, as the converter leaves it. Source of operators, options and
versions: tensorflow/tensorflow v2.14.1, tensorflow/lite/schema/schema.fbs and
tensorflow/lite/tools/versioning/op_version.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tflite import ActivationFunctionType, Padding

from buildmatrix.export import layout
from buildmatrix.export.flat import Graph, Operator, Tensor
from buildmatrix.network import (
    INPUT,
    ConvSpec,
    FcSpec,
    PoolSpec,
    ReluSpec,
    SoftmaxSpec,
    fused,
    input_shape,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.export.flat import Options
    from buildmatrix.network import NetworkSpec, Shape, Step
    from buildmatrix.reference import Parameters


def write(net: NetworkSpec, parameters: tuple[Parameters, ...]) -> Mapping[str, bytes]:
    layout.check(net)
    learnt = {p.layer: p for p in parameters}
    graph = Graph()
    before = graph.add(Tensor(INPUT, shape=_sizes(input_shape(net))))
    flat = False
    for step in fused(net):
        layer = step.layer
        if isinstance(layer, FcSpec) and not flat:
            flat = True
            before = _flatten(graph, step, before)
        after = graph.add(Tensor(layer.name, shape=_sizes(step.after, flat=flat)))
        inputs: tuple[str, ...] = (before,)
        if isinstance(layer, ConvSpec | FcSpec):
            weight = layout.arranged(step, learnt[layer.name].weight, lite=True)
            inputs = (
                _padded(graph, step, layer, before) if isinstance(layer, ConvSpec) else before,
                graph.add(Tensor(f"{layer.name}/weights", weight)),
                graph.add(Tensor(f"{layer.name}/biases", learnt[layer.name].bias)),
            )
        code, options = kind(step)
        graph.operators.append(Operator(code, inputs, after, options))
        before = after
    return {"net.tflite": graph.serialized(net.name, inputs=[INPUT], outputs=[before])}


def _sizes(shape: Shape, *, flat: bool = False) -> tuple[int, ...]:
    channels, height, width = shape
    return (1, channels) if flat else (1, height, width, channels)


def _flatten(graph: Graph, step: Step, before: str) -> str:
    channels, height, width = step.before
    name = f"{step.layer.name}/flat"
    size = height * width * channels
    shape = graph.add(Tensor(f"{name}/shape", np.array([-1, size], np.int32)))
    graph.add(Tensor(name, shape=(1, size)))
    graph.operators.append(Operator("RESHAPE", (before, shape), name, ("ReshapeOptions", {})))
    return name


def _padded(graph: Graph, step: Step, layer: ConvSpec, before: str) -> str:
    if not layer.pad or layout.same_padding(layer):
        return before
    sides = np.array([[0, 0], [layer.pad] * 2, [layer.pad] * 2, [0, 0]], np.int32)
    name = f"{layer.name}/pad"
    inputs = (before, graph.add(Tensor(f"{layer.name}/sides", sides)))
    channels, height, width = step.before
    grown = (1, height + 2 * layer.pad, width + 2 * layer.pad, channels)
    graph.add(Tensor(name, shape=grown))
    graph.operators.append(Operator("PAD", inputs, name, ("PadOptions", {})))
    return name


def kind(step: Step) -> tuple[str, Options | None]:
    """Operator and options of a layer."""
    act = ActivationFunctionType.RELU if step.relu else ActivationFunctionType.NONE
    activation = {"FusedActivationFunction": act}
    match step.layer:
        case ConvSpec() as layer:
            same = Padding.SAME if layout.same_padding(layer) else Padding.VALID
            how = {"Padding": same, "StrideW": layer.stride, "StrideH": layer.stride, **activation}
            if layer.groups == 1:
                return "CONV_2D", ("Conv2DOptions", how)
            each = {"DepthMultiplier": layer.outputs // layer.groups}
            return "DEPTHWISE_CONV_2D", ("DepthwiseConv2DOptions", how | each)
        case PoolSpec(method=method, kernel=kernel, stride=stride):
            strides = {"Padding": Padding.VALID, "StrideW": stride, "StrideH": stride}
            window = {**strides, "FilterWidth": kernel, "FilterHeight": kernel}
            code = "MAX_POOL_2D" if method == "max" else "AVERAGE_POOL_2D"
            return code, ("Pool2DOptions", window)
        case FcSpec():
            return "FULLY_CONNECTED", ("FullyConnectedOptions", activation)
        case ReluSpec():
            return "RELU", None
        case SoftmaxSpec():
            return "SOFTMAX", ("SoftmaxOptions", {"Beta": 1.0})
