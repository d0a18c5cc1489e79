"""TensorFlow Lite: channels last, batch 1 and resizable; float32, or int8 between float ends, or
float32 with weights that are kept in float16.

ReLU is part of the layer before it, as the converter leaves it. Source of operators, options and
versions: tensorflow/tensorflow v2.14.1, tensorflow/lite/schema/schema.fbs and
tensorflow/lite/tools/versioning/op_version.cc.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from tflite import ActivationFunctionType

from buildmatrix.export import layout, quantize
from buildmatrix.export.flat import Graph, Operator, Tensor
from buildmatrix.export.half import half
from buildmatrix.export.quantize import Scale
from buildmatrix.export.tflite_operators import composed, kind
from buildmatrix.layers import (
    ConcatSpec,
    ConvSpec,
    DepthToSpaceSpec,
    FcSpec,
    FlattenSpec,
    JoinSpec,
    LrnSpec,
    PadSpec,
    PoolSpec,
    PReluSpec,
    ShiftSpec,
    ShuffleSpec,
    SliceSpec,
    SoftmaxSpec,
    UpsampleSpec,
)
from buildmatrix.network import INPUT, fused, input_shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.export.flat import Options
    from buildmatrix.layers import Shape
    from buildmatrix.network import NetworkSpec, Step
    from buildmatrix.reference import F32, Parameters

    Scales = Mapping[str, Scale]

# Layers whose input has a height and a width.
IMAGES = (ConvSpec, PoolSpec, PadSpec, UpsampleSpec, LrnSpec, DepthToSpaceSpec)
FLOAT = Scale(0.0)  # of values that are not quantized
WIDENING = 3  # version of DEQUANTIZE on float16
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
    net: NetworkSpec, parameters: tuple[Parameters, ...], scheme: str = "", weights: str = ""
) -> Mapping[str, bytes]:
    """`scheme`: how values are quantized, 'symmetric' or 'asymmetric'; or not, when empty.
    `weights`: 'float16' where they are kept in it and nothing is quantized; 'per-tensor' where a
    convolution's are quantized with one scale; and else as the values are."""
    scales: Scales = {}
    if scheme:
        choose = {"symmetric": quantize.symmetric, "asymmetric": quantize.asymmetric}[scheme]
        scales = {n: choose(seen) for n, seen in quantize.ranges(net, parameters).items()}
    writer = _Writer({p.layer: p for p in parameters}, scales, weights)
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
    weights: str  # as of `write`
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
        if not self.scales:  # int8 is written of chains alone, and may have gone back to floats
            self.last = step.reads[0]
        flat = len(self.graph.tensors[self.last].shape) == 2
        if isinstance(layer, FcSpec | FlattenSpec) and not flat:
            flat = True
            self._flatten(step)
        if isinstance(layer, FlattenSpec):
            return
        if isinstance(layer, IMAGES) and flat:
            flat = False
            self.last = self._image(self.last, step.before, layer.name)
        if isinstance(layer, JoinSpec | ConcatSpec):
            self._join(step, layer)
            return
        if isinstance(layer, ConvSpec | PoolSpec):
            self._pad(step, layer)
        if isinstance(layer, ShuffleSpec):
            self._shuffle(layer, step.after, flat=flat)
            return
        if isinstance(layer, SoftmaxSpec):
            self.finish()  # int8 probabilities are multiples of 1/256: nothing left of 848 classes
        constants = self._constants(step, flat=flat)
        if not isinstance(layer, PoolSpec | SoftmaxSpec):  # a pooling keeps the scale, by its rules
            self.scale = self.scales.get(layer.name, FLOAT)
        shape = (1, step.after.channels) if flat else _last(step.after)
        parts = composed(layer)
        for code, suffix, options, number in parts:
            name = f"{layer.name}{suffix}"
            self.operator(code, name, shape, options, (_number(name, number),))
        if not parts:
            code, options = kind(step)
            self.operator(code, layer.name, shape, options, constants)

    def _join(self, step: Step, layer: JoinSpec | ConcatSpec) -> None:
        """From several values to one. All are as the first is, with or without a height."""
        flat = all(len(self.graph.tensors[name].shape) == 2 for name in step.reads)
        inputs = [
            name if flat else self._image(name, shape, f"{layer.name}/{place}")
            for place, (name, shape) in enumerate(zip(step.reads, step.befores, strict=True))
        ]
        none = {"FusedActivationFunction": ActivationFunctionType.NONE}
        code, options = {
            "add": ("ADD", ("AddOptions", none)),
            "mul": ("MUL", ("MulOptions", none)),
            "concat": ("CONCATENATION", ("ConcatenationOptions", {"Axis": 1 if flat else 3})),
        }[layer.type]
        shape = (1, step.after.channels) if flat else _last(step.after)
        self.graph.add(Tensor(layer.name, shape=shape))
        self.graph.operators.append(Operator(code, tuple(inputs), layer.name, options, 1))
        self.last = layer.name

    def _shuffle(self, layer: ShuffleSpec, size: Shape, *, flat: bool) -> None:
        """Groups and their members exchanged, at each place of an image: there is no operator."""
        groups, each = layer.groups, size.channels // layer.groups
        area = () if flat else (size.height * size.width,)
        whole = (size.channels,) if flat else _last(size)[1:]
        kept = range(1 + len(area))
        for code, name, constant, shape in (
            ("RESHAPE", "groups", [-1, *area, groups, each], (1, *area, groups, each)),
            ("TRANSPOSE", "turned", [*kept, kept.stop + 1, kept.stop], (1, *area, each, groups)),
            ("RESHAPE", "", [-1, *whole], (1, *whole)),
        ):
            made = f"{layer.name}/{name}" if name else layer.name
            to = Tensor(f"{made}/to", np.array(constant, np.int32))
            table: Options = ("ReshapeOptions" if code == "RESHAPE" else "TransposeOptions", {})
            self.operator(code, made, shape, table, (to,))

    def _image(self, name: str, shape: Shape, reader: str) -> str:
        """The value with a height and a width, by way of an operator where it has lost them."""
        if len(self.graph.tensors[name].shape) == 4:
            return name
        self.last = name
        sizes = np.array([-1, *_last(shape)[1:]], np.int32)
        made = f"{reader}/image"
        to = Tensor(f"{made}/shape", sizes)
        self.operator("RESHAPE", made, _last(shape), ("ReshapeOptions", {}), (to,))
        return made

    def _flatten(self, step: Step) -> None:
        channels, height, width = step.before
        name = step.layer.name
        name = name if isinstance(step.layer, FlattenSpec) else f"{name}/flat"
        size = height * width * channels
        if isinstance(step.layer, FlattenSpec) and height * width > 1:
            order = Tensor(f"{name}/order", np.array([0, 3, 1, 2], np.int32))
            shape = (1, channels, height, width)
            self.operator("TRANSPOSE", f"{name}/first", shape, ("TransposeOptions", {}), (order,))
        to = Tensor(f"{name}/shape", np.array([-1, size], np.int32))
        self.operator("RESHAPE", name, (1, size), ("ReshapeOptions", {}), (to,))

    def _pad(self, step: Step, layer: ConvSpec | PoolSpec) -> None:
        """What the operator's own padding is not: zeros, or nothing that could be the largest."""
        largest = isinstance(layer, PoolSpec) and layer.method == "max"
        counted = isinstance(layer, PoolSpec) and layer.counts_pad
        if not largest and not counted and layout.same_padding(layer):
            return
        top, left, *ends = layer.window.pads
        bottom, right = (max(end, 0) for end in ends)
        if not any((top, left, bottom, right)):
            return
        channels, height, width = step.before
        added = [[0, 0], [top, bottom], [left, right], [0, 0]]
        constants = [Tensor(f"{layer.name}/sides", np.array(added, np.int32))]
        code, options = "PAD", "PadOptions"
        if largest:
            code, options = "PADV2", "PadV2Options"
            lowest = np.array(np.finfo(np.float32).min, np.float32)
            constants.append(Tensor(f"{layer.name}/lowest", lowest))
        grown = (1, height + top + bottom, width + left + right, channels)
        self.operator(code, f"{layer.name}/pad", grown, (options, {}), tuple(constants))

    def _constants(self, step: Step, *, flat: bool) -> tuple[Tensor, ...]:
        """What an operator reads besides values: what was learnt, or numbers of ours."""
        layer = step.layer
        if isinstance(layer, ConvSpec | FcSpec):
            return self._weights(step, layer)
        if isinstance(layer, PReluSpec):
            slopes = self.learnt[layer.name].weight
            shape = (-1,) if flat else (1, 1, -1)
            return (Tensor(f"{layer.name}/slopes", slopes.reshape(shape)),)
        if isinstance(layer, ShiftSpec):
            numbers = self.learnt[layer.name].weight
            return (Tensor(f"{layer.name}/numbers", np.moveaxis(numbers, 0, -1)[None]),)
        return _numbers(step, flat=flat)

    def _weights(self, step: Step, layer: ConvSpec | FcSpec) -> tuple[Tensor, Tensor]:
        names = f"{layer.name}/weights", f"{layer.name}/biases"
        _, weight, bias = self.learnt[layer.name]
        weight = layout.arranged(step, weight, lite=True)
        if self.scale == FLOAT:
            return self._kept(names[0], weight), self._kept(names[1], bias)
        # The kernels of 2.14 know one scale for all of a fully connected layer.
        axis: int | None = None
        if isinstance(layer, ConvSpec) and self.weights != "per-tensor":
            axis = 0 if layer.groups == 1 else 3
        small, scales = quantize.weights(weight, axis=axis)
        sums = tuple((self.scale.scale * scales).tolist())
        added = quantize.biases(bias, self.scale.scale, scales)
        return (
            Tensor(names[0], small, scales=tuple(scales.tolist()), axis=axis or 0),
            Tensor(names[1], added, scales=sums),
        )

    def _kept(self, name: str, values: F32) -> Tensor:
        """A constant, by way of the operator that widens it where it is kept in half the bits."""
        if self.weights != "float16":
            return Tensor(name, values)
        narrow = self.graph.add(Tensor(f"{name}/half", half(values)))
        self.graph.operators.append(Operator("DEQUANTIZE", (narrow,), name, None, WIDENING))
        return Tensor(name, shape=values.shape, varies=False)


def _last(shape: Shape) -> tuple[int, int, int, int]:
    return (1, shape.height, shape.width, shape.channels)


def _number(name: str, value: float) -> Tensor:
    return Tensor(f"{name}/number", np.array(value, np.float32))


def _numbers(step: Step, *, flat: bool) -> tuple[Tensor, ...]:
    """Inputs of an operator that are numbers of ours. `flat`: a value has lost its height."""
    layer, after = step.layer, step.after
    match layer:
        case UpsampleSpec():
            return (Tensor(f"{layer.name}/size", np.array(after[1:], np.int32)),)
        case SliceSpec(first=first, channels=channels):
            begin = [0, first] if flat else [0, 0, 0, first]
            size = [-1] * (len(begin) - 1) + [channels]
            names = {"begin": begin, "count": size}
            return tuple(
                Tensor(f"{layer.name}/{n}", np.array(v, np.int32)) for n, v in names.items()
            )
        case PadSpec(mode=mode, value=value):
            top, left, bottom, right = layer.sides
            added = np.array([[0, 0], [top, bottom], [left, right], layer.channels], np.int32)
            sides = Tensor(f"{layer.name}/sides", added)
            filling = Tensor(f"{layer.name}/filling", np.array(value, np.float32))
            return (sides, filling) if mode == "constant" else (sides,)
        case _:
            return ()
