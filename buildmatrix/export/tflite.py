"""TensorFlow Lite: channels last, batch 1 and resizable; float32, or int8 between float ends.

ReLU is part of the layer before it, as the converter leaves it. Source of operators, options and
versions: tensorflow/tensorflow v2.14.1, tensorflow/lite/schema/schema.fbs and
tensorflow/lite/tools/versioning/op_version.cc.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from tflite import ActivationFunctionType, Padding

from buildmatrix.export import layout, quantize
from buildmatrix.export.flat import Graph, Operator, Tensor
from buildmatrix.export.quantize import Scale
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
    from buildmatrix.network import NetworkSpec, Step
    from buildmatrix.reference import Parameters

    Scales = Mapping[str, Scale]

FLOAT = Scale(0.0)  # of values that are not quantized
VERSIONS = {  # of operators on int8; the others are 1
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "MAX_POOL_2D": 2,
    "AVERAGE_POOL_2D": 2,
    "PAD": 2,
    "RELU": 2,
    "DEQUANTIZE": 2,
}


def write(
    net: NetworkSpec, parameters: tuple[Parameters, ...], scheme: str = ""
) -> Mapping[str, bytes]:
    """`scheme`: how values are quantized, 'symmetric' or 'asymmetric'; or not, when empty."""
    layout.check(net)
    scales: Scales = {}
    if scheme:
        choose = {"symmetric": quantize.symmetric, "asymmetric": quantize.asymmetric}[scheme]
        scales = {n: choose(seen) for n, seen in quantize.ranges(net, parameters).items()}
    writer = _Writer({p.layer: p for p in parameters}, scales)
    writer.start(net)
    for step in fused(net):
        writer.layer(step)
    writer.finish()
    graph = writer.graph
    return {"net.tflite": graph.serialized(net.name, inputs=[INPUT], outputs=[writer.last])}


@dataclass
class _Writer:
    """Adds layer after layer to the graph. `last` is the newest value and `scale` is its scale."""

    learnt: Mapping[str, Parameters]
    scales: Scales  # by layer; empty in a graph of floats
    graph: Graph = field(default_factory=Graph)
    last: str = INPUT
    scale: Scale = FLOAT

    def start(self, net: NetworkSpec) -> None:
        channels, height, width = input_shape(net)
        shape = (1, height, width, channels)
        self.graph.add(Tensor(INPUT, shape=shape))
        if self.scales:
            self.scale = self.scales[INPUT]
            self.operator("QUANTIZE", f"{INPUT}/int8", shape)

    def finish(self) -> None:
        if self.scale != FLOAT:
            shape = self.graph.tensors[self.last].shape
            self.scale = FLOAT
            self.operator("DEQUANTIZE", f"{self.last}/float", shape)

    def operator(
        self,
        code: str,
        name: str,
        shape: tuple[int, ...],
        options: Options | None = None,
        constants: tuple[Tensor, ...] = (),
    ) -> None:
        """From the newest value (and constants) to a new one, which has the present scale."""
        before = self.graph.tensors[self.last]
        number = "int8" if self.scale != FLOAT else "float32"
        step, zero = self.scale
        scales = (step,) if step else ()
        self.graph.add(Tensor(name, shape=shape, number=number, scales=scales, zero=zero))
        inputs = (self.last, *(self.graph.add(constant) for constant in constants))
        version = VERSIONS.get(code, 1) if before.number == "int8" else 1
        self.graph.operators.append(Operator(code, inputs, name, options, version))
        self.last = name

    def layer(self, step: Step) -> None:
        layer = step.layer
        flat = len(self.graph.tensors[self.last].shape) == 2
        if isinstance(layer, FcSpec) and not flat:
            flat = True
            self._flatten(step)
        if isinstance(layer, ConvSpec) and layer.pad and not layout.same_padding(layer):
            self._pad(step, layer)
        if isinstance(layer, SoftmaxSpec):
            self.finish()  # int8 probabilities are multiples of 1/256: nothing left of 848 classes
        constants: tuple[Tensor, ...] = ()
        if isinstance(layer, ConvSpec | FcSpec):
            constants = self._constants(step, layer)
        if not isinstance(layer, PoolSpec | SoftmaxSpec):  # a pooling keeps the scale, by its rules
            self.scale = self.scales.get(layer.name, FLOAT)
        channels, height, width = step.after
        shape = (1, channels) if flat else (1, height, width, channels)
        code, options = _kind(step)
        self.operator(code, layer.name, shape, options, constants)

    def _flatten(self, step: Step) -> None:
        channels, height, width = step.before
        name = f"{step.layer.name}/flat"
        size = height * width * channels
        to = Tensor(f"{name}/shape", np.array([-1, size], np.int32))
        self.operator("RESHAPE", name, (1, size), ("ReshapeOptions", {}), (to,))

    def _pad(self, step: Step, layer: ConvSpec) -> None:
        channels, height, width = step.before
        added = [[0, 0], [layer.pad] * 2, [layer.pad] * 2, [0, 0]]
        sides = Tensor(f"{layer.name}/sides", np.array(added, np.int32))
        grown = (1, height + 2 * layer.pad, width + 2 * layer.pad, channels)
        self.operator("PAD", f"{layer.name}/pad", grown, ("PadOptions", {}), (sides,))

    def _constants(self, step: Step, layer: ConvSpec | FcSpec) -> tuple[Tensor, Tensor]:
        names = f"{layer.name}/weights", f"{layer.name}/biases"
        _, weight, bias = self.learnt[layer.name]
        weight = layout.arranged(step, weight, lite=True)
        if self.scale == FLOAT:
            return Tensor(names[0], weight), Tensor(names[1], bias)
        # The kernels of 2.14 know one scale for all of a fully connected layer.
        axis = None if isinstance(layer, FcSpec) else 0 if layer.groups == 1 else 3
        small, scales = quantize.weights(weight, axis=axis)
        sums = tuple((self.scale.scale * scales).tolist())
        added = quantize.biases(bias, self.scale.scale, scales)
        return (
            Tensor(names[0], small, scales=tuple(scales.tolist()), axis=axis or 0),
            Tensor(names[1], added, scales=sums),
        )


def _kind(step: Step) -> tuple[str, Options | None]:
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
