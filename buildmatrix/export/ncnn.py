"""ncnn: the layers as text, and the weights in their order.

Sources: Tencent/ncnn, the load_param and load_model of src/layer/convolution.cpp,
convolutiondepthwise.cpp, innerproduct.cpp, pooling.cpp and softmax.cpp, and docs/developer-guide/
param-and-model-file-structure.md. ReLU is part of the layer before it, as pnnx and ncnnoptimize
leave it.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from buildmatrix.network import INPUT, ConvSpec, FcSpec, PoolSpec, ReluSpec, SoftmaxSpec, fused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.network import NetworkSpec, Step
    from buildmatrix.reference import Parameters

MAGIC = 7767517
FLOAT32 = bytes(4)  # the tag before weights; biases have none


def write(net: NetworkSpec, parameters: tuple[Parameters, ...]) -> Mapping[str, bytes]:
    lines = [
        _line("Input", (), INPUT, {0: net.input.width, 1: net.input.height, 2: net.input.channels})
    ]
    bottom = INPUT
    for step in fused(net):
        kind, settings = _kind(step)
        lines.append(_line(kind, (bottom,), step.layer.name, settings))
        bottom = step.layer.name
    text = [str(MAGIC), f"{len(lines)} {len(lines)}", *lines]  # a chain: a blob for each layer
    numbers = (FLOAT32 + _bytes(p) for p in parameters)
    return {
        "net.param": "".join(f"{line}\n" for line in text).encode(),
        "net.bin": b"".join(numbers),
    }


def _bytes(learnt: Parameters) -> bytes:
    return learnt.weight.astype("<f4").tobytes() + learnt.bias.astype("<f4").tobytes()


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
