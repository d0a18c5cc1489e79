"""ncnn: the layers as text, and the weights in their order.

Sources: Tencent/ncnn, the load_param and load_model of src/layer/convolution.cpp,
convolutiondepthwise.cpp, deconvolution.cpp, deconvolutiondepthwise.cpp, padding.cpp, crop.cpp,
shufflechannel.cpp, pixelshuffle.cpp, prelu.cpp, memorydata.cpp, innerproduct.cpp, pooling.cpp,
softmax.cpp, binaryop.cpp, concat.cpp, interp.cpp, lrn.cpp, reshape.cpp and those of the
activations, and docs/developer-guide/param-and-model-file-structure.md. ReLU is part of the layer
before it, as pnnx and ncnnoptimize leave it. int8 is what tools/quantize/ncnn2int8.cpp writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from buildmatrix.export import quantize
from buildmatrix.export.ncnn_layers import Settings
from buildmatrix.export.ncnn_layers import kind as layer_of
from buildmatrix.layers import (
    IMAGES,
    ConvSpec,
    DeconvSpec,
    FcSpec,
    FlattenSpec,
    PReluSpec,
    ShiftSpec,
)
from buildmatrix.network import INPUT, fused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from buildmatrix.layers import Layer, Shape
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
        kind, settings = layer_of(step)
        if name in learnt and seen:
            # From convolution to convolution the values stay int8.
            stays = isinstance(step.layer, ConvSpec) and after and isinstance(after.layer, ConvSpec)
            settings[8] = SCALED[kind] + (REQUANTIZED if stays else 0)
            before = step.reads[0]
            ends = [seen[before], seen[name]] if stays else [seen[before]]
            content.append(_int8(step.layer, learnt[name], ends))
        elif name in learnt:
            content.append(_weights(step.layer, learnt[name]))
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
        sizes: Settings = {0: net.input.width, 1: net.input.height, 2: net.input.channels}
        self._add("Input", (), INPUT, sizes)
        self._split(INPUT)

    def layer(self, step: Step, kind: str, settings: Settings) -> None:
        layer = step.layer
        flat = isinstance(layer, FcSpec | FlattenSpec)
        if not isinstance(layer, IMAGES):
            flat = flat or all(name in self.flat for name in step.reads)
        blobs = [
            self._blob(name, shape, flat=flat, reader=step)
            for name, shape in zip(step.reads, step.befores, strict=True)
        ]
        if isinstance(layer, ShiftSpec):
            channels, height, width = step.after
            blobs.append(f"{layer.name}_numbers")
            self._add("MemoryData", (), blobs[-1], {0: width, 1: height, 2: channels})
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
        sizes: Settings = {0: shape.width, 1: shape.height, 2: shape.channels}
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
        settings: Settings,
        tops: tuple[str, ...] = (),
    ) -> None:
        tops = tops or (name,)
        self.blobs += len(tops)
        self.lines.append(_line(kind, bottoms, name, tops, settings))

    def text(self) -> str:
        counts = f"{len(self.lines)} {self.blobs}"
        return "".join(f"{line}\n" for line in (str(MAGIC), counts, *self.lines))


def _weights(layer: Layer, learnt: Parameters) -> bytes:
    """The tag and the numbers; slopes, and what a shift adds, have no tag. A transposed
    convolution's stand as those of a convolution do: outputs, then inputs, in each group."""
    weight, groups = learnt.weight, 1
    if isinstance(layer, PReluSpec | ShiftSpec):
        return _float32(weight)
    if isinstance(layer, DeconvSpec):
        groups = layer.groups
        split = weight.reshape(groups, -1, *weight.shape[1:])
        weight = split.swapaxes(1, 2)
    return FLOAT32 + _float32(weight, learnt.bias)


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
    settings: Settings,
) -> str:
    """`type name inputs outputs input… output… number=value…`"""
    blobs = " ".join((*bottoms, *tops))
    values = "".join(f" {number}={value}" for number, value in settings.items())
    return f"{kind:<24} {name:<24} {len(bottoms)} {len(tops)} {blobs}{values}"
