"""Layers that have learnt something, and what only scales the channels of a layer."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from buildmatrix.imported.reading import attributes, floats
from buildmatrix.imported.windows import pads_of, pair, short
from buildmatrix.layers import ConvSpec, DeconvSpec, FcSpec

if TYPE_CHECKING:
    from onnx import NodeProto

    from buildmatrix.imported.reading import Reading


def conv(reading: Reading, node: NodeProto) -> None:
    how = attributes(node)
    weight = reading.constant(node.input[1])
    if weight is None or weight.ndim not in (3, 4):
        raise reading.lacks(node, "a weight that is computed, or of other than 3 or 4 sizes,")
    bias = _bias(reading, node, len(weight))
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


def conv_transpose(reading: Reading, node: NodeProto) -> None:
    how = attributes(node)
    weight = reading.constant(node.input[1])
    if weight is None or weight.ndim != 4 or how.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise reading.lacks(node, "a weight that is computed or not of 4 sizes, or automatic pads,")
    groups, outputs = how.get("group", 1), weight.shape[1] * how.get("group", 1)
    if short(pair(how.get("dilations"))) != 1:
        raise reading.lacks(node, "a dilation")
    bias = _bias(reading, node, outputs)
    kernel, stride = weight.shape[2:], pair(how.get("strides"))
    top, left, *_ = how.get("pads") or [0] * 4
    # What is cut off at the end follows from the size, whether the node writes that or a padding.
    ends = [
        (size - 1) * step + reach - start - made
        for size, step, reach, start, made in zip(
            reading.shape(node.input[0])[1:],
            stride,
            kernel,
            (top, left),
            reading.shape(node.output[0])[1:],
            strict=True,
        )
    ]
    if min(ends) < 0:
        raise reading.lacks(node, "an output with rows or columns that no window reaches")
    name = reading.add(
        node,
        DeconvSpec,
        inputs=reading.read(node, node.input[0]),
        outputs=outputs,
        kernel=short(kernel),
        stride=short(stride),
        pad=short((top, left, *ends)),
        groups=groups,
    )
    reading.weights[name] = (floats(weight), floats(bias))


def _bias(reading: Reading, node: NodeProto, outputs: int) -> Any:
    """A convolution's third input, a number for each output; zeros where it has none."""
    if len(node.input) < 3 or not node.input[2]:
        return np.zeros(outputs)
    bias = reading.constant(node.input[2])
    if bias is None:
        raise reading.lacks(node, "a bias that is computed")
    return bias


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
    layer = reading.layer(before)
    if isinstance(layer, ConvSpec | FcSpec | DeconvSpec) and reading.uses[tensor] == 1 and named:
        weight, bias = reading.weights[before]
        reading.weights[before] = (
            floats(weight * _across(layer, weight, factor)),
            floats(bias * factor + shift),
        )
        reading.values[node.output[0]] = before
        return
    name = reading.add(
        node, ConvSpec, inputs=(before,), outputs=channels, kernel=1, groups=channels
    )
    reading.weights[name] = (floats(factor.reshape(-1, 1, 1, 1)), floats(shift))


def _across(layer: ConvSpec | FcSpec | DeconvSpec, weight: Any, factor: Any) -> Any:
    """A number for each output, so formed that it multiplies that output's weights."""
    if not isinstance(layer, DeconvSpec):
        return factor.reshape(-1, *[1] * (weight.ndim - 1))
    groups, inputs = layer.groups, len(weight)
    return factor.reshape(groups, 1, -1).repeat(inputs // groups, 1).reshape(inputs, -1, 1, 1)
