"""ncnn: the layers as text, and the weights in their order.

Sources: Tencent/ncnn, the load_param and load_model of src/layer/convolution.cpp,
convolutiondepthwise.cpp, innerproduct.cpp, pooling.cpp and softmax.cpp, and docs/developer-guide/
param-and-model-file-structure.md. ReLU is part of the layer before it, as pnnx and ncnnoptimize
leave it. int8 is what tools/quantize/ncnn2int8.cpp writes.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from buildmatrix.export import quantize
from buildmatrix.network import INPUT, ConvSpec, FcSpec, PoolSpec, ReluSpec, SoftmaxSpec, fused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from buildmatrix.network import Layer, NetworkSpec, Step
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
    sizes = {0: net.input.width, 1: net.input.height, 2: net.input.channels}
    lines = [_line("Input", (), INPUT, sizes)]
    content = []
    before = INPUT
    steps = fused(net)
    for step, after in zip(steps, (*steps[1:], None), strict=True):
        name = step.layer.name
        kind, settings = _kind(step)
        if name in learnt and seen:
            # From convolution to convolution the values stay int8.
            stays = isinstance(step.layer, ConvSpec) and after and isinstance(after.layer, ConvSpec)
            settings[8] = SCALED[kind] + (REQUANTIZED if stays else 0)
            ends = [seen[before], seen[name]] if stays else [seen[before]]
            content.append(_int8(step.layer, learnt[name], ends))
        elif name in learnt:
            content.append(FLOAT32 + _float32(learnt[name].weight, learnt[name].bias))
        lines.append(_line(kind, (before,), name, settings))
        before = name
    text = [str(MAGIC), f"{len(lines)} {len(lines)}", *lines]  # a chain: a blob for each layer
    return {
        "net.param": "".join(f"{line}\n" for line in text).encode(),
        "net.bin": b"".join(content),
    }


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


def _line(kind: str, bottoms: tuple[str, ...], top: str, settings: Mapping[int, int]) -> str:
    """`type name inputs outputs input… output… number=value…`"""
    blobs = " ".join((*bottoms, top))
    values = "".join(f" {number}={value}" for number, value in settings.items())
    return f"{kind:<24} {top:<24} {len(bottoms)} 1 {blobs}{values}"


def _kind(step: Step) -> tuple[str, dict[int, int]]:
    layer, before, after, relu = step
    activation = {9: 1} if relu else {}
    match layer:
        case ConvSpec():
            size = layer.outputs * before.channels // layer.groups * layer.kernel**2
            settings = {
                0: layer.outputs,
                1: layer.kernel,
                3: layer.stride,
                4: layer.pad,
                5: 1,
                6: size,
            }
            if layer.groups == 1:
                return "Convolution", settings | activation
            return "ConvolutionDepthWise", settings | {7: layer.groups} | activation
        case PoolSpec(method=method, kernel=kernel, stride=stride):
            valid = 1  # windows that fit; sizes divide exactly
            return "Pooling", {0: int(method == "average"), 1: kernel, 2: stride, 5: valid}
        case FcSpec():
            weights = prod(before) * after.channels
            return "InnerProduct", {0: after.channels, 1: 1, 2: weights} | activation
        case ReluSpec():
            return "ReLU", {}
        case SoftmaxSpec():
            return "Softmax", {0: 0, 1: 1}  # axis 0, counted as it is since 2020
