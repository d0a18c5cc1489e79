"""ncnn: the layers as text, and the weights in their order.

Sources: Tencent/ncnn, the load_param and load_model of src/layer/convolution.cpp,
convolutiondepthwise.cpp, innerproduct.cpp, pooling.cpp, softmax.cpp, binaryop.cpp, concat.cpp,
interp.cpp, lrn.cpp, reshape.cpp and those of the activations, and docs/developer-guide/
param-and-model-file-structure.md. ReLU is part of the layer before it, as pnnx and ncnnoptimize
leave it. int8 is what tools/quantize/ncnn2int8.cpp writes.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from buildmatrix.export import quantize
from buildmatrix.layers import (
    ActivationSpec,
    ClipSpec,
    ConcatSpec,
    ConvSpec,
    FcSpec,
    FlattenSpec,
    JoinSpec,
    LeakyReluSpec,
    LrnSpec,
    PoolSpec,
    ReluSpec,
    SoftmaxSpec,
    UpsampleSpec,
)
from buildmatrix.network import INPUT, fused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from buildmatrix.layers import Layer, Shape, Window
    from buildmatrix.network import NetworkSpec, Step
    from buildmatrix.reference import Parameters

MAGIC = 7767517
FLOAT32 = bytes(4)  # the tag before weights; what follows them has none
INT8 = bytes.fromhex("384b0d00")  # 0x000D4B38
SCALED = {"Convolution": 2, "ConvolutionDepthWise": 1, "InnerProduct": 2}  # int8_scale_term
REQUANTIZED = 100  # is added to it when the layer's output is int8 too


def write(
    net: NetworkSpec, parameters: tuple[Parameters, ...], numbers: str = "float32"
) -> Mapping[str, bytes]:
    """`numbers`: 'float32', or 'int8' for the layers that have weights."""
    learnt = {p.layer: p for p in parameters}
    seen = quantize.ranges(net, parameters) if numbers == "int8" else {}
    steps = fused(net)
    lines = _Lines(net, steps)
    content = []
    for step, after in zip(steps, (*steps[1:], None), strict=True):
        name = step.layer.name
        kind, settings = _kind(step)
        if name in learnt and seen:
            # From convolution to convolution the values stay int8.
            stays = isinstance(step.layer, ConvSpec) and after and isinstance(after.layer, ConvSpec)
            settings[8] = SCALED[kind] + (REQUANTIZED if stays else 0)
            before = step.reads[0]
            ends = [seen[before], seen[name]] if stays else [seen[before]]
            content.append(_int8(step.layer, learnt[name], ends))
        elif name in learnt:
            content.append(FLOAT32 + _float32(learnt[name].weight, learnt[name].bias))
        lines.layer(step, kind, settings)
    return {"net.param": lines.text().encode(), "net.bin": b"".join(content)}


class _Lines:
    """The layers as text. A blob is read once: what several layers read goes through a Split."""

    def __init__(self, net: NetworkSpec, steps: tuple[Step, ...]) -> None:
        self.lines: list[str] = []
        self.blobs = 0
        self.flat: set[str] = set()  # values that have lost their height and width
        self.readers: dict[str, int] = {}
        for name in (name for step in steps for name in step.reads):
            self.readers[name] = self.readers.get(name, 0) + 1
        self.read: dict[str, int] = {}  # how often so far
        sizes = {0: net.input.width, 1: net.input.height, 2: net.input.channels}
        self._add("Input", (), INPUT, sizes)
        self._split(INPUT)

    def layer(self, step: Step, kind: str, settings: Mapping[int, float]) -> None:
        layer = step.layer
        flat = isinstance(layer, FcSpec | FlattenSpec)
        if not isinstance(layer, ConvSpec | PoolSpec | UpsampleSpec | LrnSpec):
            flat = flat or all(name in self.flat for name in step.reads)
        blobs = [
            self._blob(name, shape, flat=flat, reader=step)
            for name, shape in zip(step.reads, step.befores, strict=True)
        ]
        self._add(kind, tuple(blobs), layer.name, settings)
        if flat:
            self.flat.add(layer.name)
        self._split(layer.name)

    def _blob(self, name: str, shape: Shape, *, flat: bool, reader: Step) -> str:
        """What is read: the value, its own copy of it, or one that has its height and width."""
        blob = name
        if self.readers[name] > 1:
            blob = f"{name}_split_{self.read.get(name, 0)}"
            self.read[name] = self.read.get(name, 0) + 1
        if name not in self.flat or flat:
            return blob
        image = f"{reader.layer.name}_image_{reader.reads.index(name)}"
        sizes = {0: shape.width, 1: shape.height, 2: shape.channels}
        self._add("Reshape", (blob,), image, sizes)
        return image

    def _split(self, name: str) -> None:
        if (count := self.readers.get(name, 0)) > 1:
            copies = tuple(f"{name}_split_{i}" for i in range(count))
            self._add("Split", (name,), f"{name}_split", {}, copies)

    def _add(
        self,
        kind: str,
        bottoms: tuple[str, ...],
        name: str,
        settings: Mapping[int, float],
        tops: tuple[str, ...] = (),
    ) -> None:
        tops = tops or (name,)
        self.blobs += len(tops)
        self.lines.append(_line(kind, bottoms, name, tops, settings))

    def text(self) -> str:
        counts = f"{len(self.lines)} {self.blobs}"
        return "".join(f"{line}\n" for line in (str(MAGIC), counts, *self.lines))


def _float32(*parts: NDArray[Any]) -> bytes:
    return b"".join(part.astype("<f4").tobytes() for part in parts)


def _int8(layer: Layer, learnt: Parameters, ends: list[quantize.Range]) -> bytes:
    """Weights, biases, and scales: of the weights, of the input, and of an int8 output."""
    rows = len(learnt.weight)
    if isinstance(layer, ConvSpec) and layer.groups > 1:
        rows = layer.groups
    small, scales = quantize.weights(learnt.weight.reshape(rows, -1))
    values = np.array([quantize.symmetric(end).scale for end in ends])
    aligned = small.tobytes() + bytes(-small.size % 4)
    # ncnn multiplies by a scale where others divide.
    return INT8 + aligned + _float32(learnt.bias, 1 / scales, 1 / values)


def _line(
    kind: str,
    bottoms: tuple[str, ...],
    name: str,
    tops: tuple[str, ...],
    settings: Mapping[int, float],
) -> str:
    """`type name inputs outputs input… output… number=value…`"""
    blobs = " ".join((*bottoms, *tops))
    values = "".join(f" {number}={value}" for number, value in settings.items())
    return f"{kind:<24} {name:<24} {len(bottoms)} {len(tops)} {blobs}{values}"


def _kind(step: Step) -> tuple[str, dict[int, float]]:
    layer = step.layer
    activation: dict[int, float] = {9: 1} if step.relu else {}
    match layer:
        case ConvSpec():
            return _convolution(step, layer, activation)
        case PoolSpec(method=method, counts_pad=counted):
            return "Pooling", _pooling(layer.window, method, counted=counted)
        case FcSpec():
            weights = prod(step.before) * step.after.channels
            return "InnerProduct", {0: step.after.channels, 1: 1, 2: weights} | activation
        case JoinSpec(type=kind):
            return "BinaryOp", {0: {"add": 0, "mul": 2}[kind]}
        case ConcatSpec():
            return "Concat", {0: 0}
        case UpsampleSpec(factor=factor):
            return "Interp", {0: 1, 1: float(factor), 2: float(factor)}  # 1: nearest
        case LrnSpec(size=size, alpha=alpha, beta=beta, bias=bias):
            return "LRN", {0: 0, 1: size, 2: alpha, 3: beta, 4: bias}  # 0: across channels
        case _:
            return _function(layer)


def _convolution(
    step: Step, layer: ConvSpec, activation: dict[int, float]
) -> tuple[str, dict[int, float]]:
    window = layer.window
    (height, width), (down, along), (rows, columns) = (
        window.kernel,
        window.stride,
        window.dilation,
    )
    top, left, bottom, right = window.pads
    size = layer.outputs * step.before.channels // layer.groups * height * width
    settings: dict[int, float] = {0: layer.outputs, 1: width}
    if columns != 1:
        settings[2] = columns
    settings |= {3: along, 4: left, 5: 1, 6: size}
    # What is not written is as along the width, or as at the left.
    others = {11: (height, width), 12: (rows, columns), 13: (down, along)}
    others |= {14: (top, left), 15: (max(right, 0), left), 16: (max(bottom, 0), top)}
    settings |= {number: one for number, (one, other) in others.items() if one != other}
    if layer.groups == 1:
        return "Convolution", settings | activation
    return "ConvolutionDepthWise", settings | {7: layer.groups} | activation


def _pooling(window: Window, method: str, *, counted: bool) -> dict[int, float]:
    (height, width), (down, along) = window.kernel, window.stride
    top, left, bottom, right = window.pads
    valid = 1  # windows that fit; sizes divide exactly
    settings: dict[int, float] = {0: int(method == "average"), 1: width, 2: along}
    if any(window.pads):
        settings |= {3: left, 13: top, 14: max(right, 0), 15: max(bottom, 0)}
        settings |= {6: 1} if counted else {}
    settings[5] = valid
    settings |= {11: height} if height != width else {}
    return settings | ({12: down} if down != along else {})


def _function(
    layer: FlattenSpec | SoftmaxSpec | ReluSpec | LeakyReluSpec | ClipSpec | ActivationSpec,
) -> tuple[str, dict[int, float]]:
    """Type and settings of a function of each value, or of each pixel."""
    sixth = {0: 1 / 6, 1: 0.5}
    match layer:
        case FlattenSpec():
            return "Flatten", {}
        case SoftmaxSpec():
            return "Softmax", {0: 0, 1: 1}  # axis 0, counted as it is since 2020
        case ReluSpec():
            return "ReLU", {}
        case LeakyReluSpec(slope=slope):
            return "ReLU", {0: slope}
        case ClipSpec(low=low, high=high):
            return "Clip", {0: low, 1: high}
        case ActivationSpec(type=kind):
            names: dict[str, tuple[str, dict[int, float]]] = {
                "sigmoid": ("Sigmoid", {}),
                "tanh": ("TanH", {}),
                "hard-sigmoid": ("HardSigmoid", sixth),
                "hard-swish": ("HardSwish", sixth),
            }
            return names[kind]
