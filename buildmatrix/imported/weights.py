"""Layers that have learnt something, and what only scales the channels of a layer."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from buildmatrix.imported.reading import attributes, floats
from buildmatrix.imported.windows import pads_of, pair, short
from buildmatrix.layers import ConvSpec, FcSpec

if TYPE_CHECKING:
    from onnx import NodeProto

    from buildmatrix.imported.reading import Reading


def conv(reading: Reading, node: NodeProto) -> None:
    how = attributes(node)
    weight = reading.constant(node.input[1])
    if weight is None or weight.ndim not in (3, 4):
        raise reading.lacks(node, "a weight that is computed, or of other than 3 or 4 sizes,")
    bias = np.zeros(len(weight))
    if len(node.input) > 2 and node.input[2]:
        given = reading.constant(node.input[2])
        if given is None:
            raise reading.lacks(node, "a bias that is computed")
        bias = given
    if weight.ndim == 3:  # along one direction: a row of pixels
        weight = weight[:, :, None, :]
    kernel = weight.shape[2:]
    stride, dilation = pair(how.get("strides")), pair(how.get("dilations"))
    added = reading.padded.get(node.input[0], (0, 0, 0, 0))
    pads = [a + b for a, b in zip(pads_of(reading, node, how, kernel), added, strict=True)]
    name = reading.add(
        node,
        ConvSpec,
        inputs=reading.read(node, node.input[0], padded=True),
        outputs=len(weight),
        kernel=short(kernel),
        stride=short(stride),
        pad=short(pads),
        groups=how.get("group", 1),
        dilation=short(dilation),
    )
    reading.weights[name] = (floats(weight), floats(bias))


def gemm(reading: Reading, node: NodeProto) -> None:
    how = attributes(node)
    weight = reading.constant(node.input[1])
    if weight is None or how.get("transA") or weight.ndim != 2:
        raise reading.lacks(node, "a weight that is computed, or a transposed input,")
    weight = weight if how.get("transB") else weight.T
    bias = np.zeros(len(weight))
    if len(node.input) > 2 and node.input[2]:
        given = reading.constant(node.input[2])
        if given is None or given.size not in (1, len(weight)):
            raise reading.lacks(node, "a bias that is computed, or of another size,")
        bias = np.broadcast_to(given.reshape(-1) * how.get("beta", 1.0), len(weight))
    _full(reading, node, weight * np.float32(how.get("alpha", 1.0)), bias)


def matmul(reading: Reading, node: NodeProto) -> None:
    weight = reading.constant(node.input[1])
    sizes = reading.size(node.input[0])
    if weight is None or weight.ndim != 2 or prod(sizes[:-1]) != 1:
        raise reading.lacks(node, "a product other than of one row and a constant matrix")
    _full(reading, node, weight.T, np.zeros(weight.shape[1]))


def _full(reading: Reading, node: NodeProto, weight: Any, bias: Any) -> None:
    inputs = reading.read(node, node.input[0], turned=True)
    if size := reading.turned.get(node.input[0]):  # its columns are in the order of what it reads
        channels, height, width = size
        columns = weight.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
        weight = columns.reshape(len(weight), -1)
    name = reading.add(node, FcSpec, inputs=inputs, outputs=len(weight))
    reading.weights[name] = (floats(weight), floats(bias))


def batch_norm(reading: Reading, node: NodeProto) -> None:
    numbers = [reading.constant(name) for name in node.input[1:5]]
    if any(one is None for one in numbers) or attributes(node).get("training_mode"):
        raise reading.lacks(node, "normalization with statistics of the batch")
    scale, shift, mean, variance = (np.asarray(one, np.float64) for one in numbers)
    factor = scale / np.sqrt(variance + attributes(node).get("epsilon", 1e-5))
    affine(reading, node, node.input[0], factor, shift - mean * factor)


def affine(
    reading: Reading, node: NodeProto, tensor: str, factor: Any, shift: Any, *, named: bool = True
) -> None:
    """Each channel times a number, plus one: part of the layer before it where nobody else reads
    that, and otherwise a 1x1 depthwise convolution."""
    (before,) = reading.read(node, tensor)
    channels = reading.shape(tensor).channels
    factor, shift = (np.broadcast_to(np.asarray(v, np.float64), channels) for v in (factor, shift))
    if before in reading.weights and reading.uses[tensor] == 1 and named:
        weight, bias = reading.weights[before]
        across = factor.reshape(-1, *[1] * (weight.ndim - 1))
        reading.weights[before] = (floats(weight * across), floats(bias * factor + shift))
        reading.values[node.output[0]] = before
        return
    name = reading.add(
        node, ConvSpec, inputs=(before,), outputs=channels, kernel=1, groups=channels
    )
    reading.weights[name] = (floats(factor.reshape(-1, 1, 1, 1)), floats(shift))
