"""Operators of TensorFlow Lite that have weights, or a window, in ONNX. Meanings as tensorflow
v2.14.1, tensorflow/lite/kernels, and the options of its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tflite import ActivationFunctionType as Act
from tflite import MirrorPadMode, Padding

from buildmatrix.imported.lite_net import IMAGE, TO_FIRST

if TYPE_CHECKING:
    from buildmatrix.imported.lite_graph import Operation
    from buildmatrix.imported.lite_net import Net

PADS = {Padding.SAME: "SAME_UPPER", Padding.VALID: "VALID"}


def convolution(net: Net, one: Operation) -> None:
    """Also a depthwise one, whose weights are (1, rows, columns, channels)."""
    depthwise = one.kind == "DEPTHWISE_CONV_2D"
    how, weight = one.options, net.weights(one, 1).transpose(TO_FIRST)
    image = net.image(one)
    channels = net.values[one.inputs[0]].sizes[-1]
    if depthwise:
        weight, groups = weight.swapaxes(0, 1), channels
    else:
        groups = channels // weight.shape[1]
    net.put(
        one,
        "Conv",
        [image, net.number(one, "w", weight), *_bias(net, one)],
        act=how["FusedActivationFunction"],
        kernel_shape=weight.shape[2:],
        strides=[how["StrideH"], how["StrideW"]],
        dilations=[how["DilationHFactor"], how["DilationWFactor"]],
        group=groups,
        auto_pad=PADS[how["Padding"]],
    )


def transposed(net: Net, one: Operation) -> None:
    """A transposed convolution: the size of what it makes is its first input."""
    how, weight = one.options, net.weights(one, 1).transpose(3, 0, 1, 2)
    wanted, strides = net.numbers(one, 0)[1:3], [how["StrideH"], how["StrideW"]]
    sizes = net.values[one.inputs[2]].sizes[1:3]
    begins, ends = [], []
    for made, step, size, kernel in zip(wanted, strides, sizes, weight.shape[2:], strict=True):
        over = step * (size - 1) + kernel - made
        if over < 0 or not size:
            raise net.lacks(one, f"a size of {made}")
        begins.append(over // 2)
        ends.append(over - over // 2)
    net.put(
        one,
        "ConvTranspose",
        [net.image(one, 2), net.number(one, "w", weight), *_bias(net, one, 3)],
        act=how.get("FusedActivationFunction", Act.NONE),
        kernel_shape=weight.shape[2:],
        strides=strides,
        pads=[*begins, *ends],
    )


def full(net: Net, one: Operation) -> None:
    how, weight = one.options, net.weights(one, 1)
    if how["WeightsFormat"] or (how["KeepNumDims"] and net.rank(one.inputs[0]) != 2):
        raise net.lacks(one, "another form of the weights, or of what is made,")
    row = net.plain(one)
    if net.rank(one.inputs[0]) != 2:
        row = net.node(one, "Reshape", [row, net.number(one, "row", [1, weight.shape[1]])])
    inputs = [row, net.number(one, "w", weight), *_bias(net, one)]
    net.put(one, "Gemm", inputs, act=how["FusedActivationFunction"], transB=1)


def _bias(net: Net, one: Operation, place: int = 2) -> list[str]:
    if not net.has(one, place):
        return []
    return [net.number(one, "b", net.weights(one, place, "a bias"))]


def pooling(net: Net, one: Operation) -> None:
    how = one.options
    net.put(
        one,
        "MaxPool" if one.kind == "MAX_POOL_2D" else "AveragePool",
        [net.image(one)],
        act=how["FusedActivationFunction"],
        kernel_shape=[how["FilterHeight"], how["FilterWidth"]],
        strides=[how["StrideH"], how["StrideW"]],
        auto_pad=PADS[how["Padding"]],
    )


def padded(net: Net, one: Operation) -> None:
    sides = np.array(net.numbers(one, 1)).reshape(-1, 2)
    if net.rank(one.inputs[0]) == len(IMAGE):
        sides = sides[list(TO_FIRST)]
    mode, inputs = "constant", [net.read(one), net.number(one, "sides", sides.T.ravel())]
    if one.kind == "MIRROR_PAD":
        mode = "reflect"
        if one.options["Mode"] != MirrorPadMode.REFLECT:
            raise net.lacks(one, "what repeats the edge")
    elif one.kind == "PADV2":
        inputs.append(net.number(one, "filling", net.weights(one, 2, "a filling").reshape(())))
    net.put(one, "Pad", inputs, mode=mode)


def resized(net: Net, one: Operation) -> None:
    how, (height, width) = one.options, net.numbers(one, 1)
    if how["AlignCorners"]:
        raise net.lacks(one, "corners that are kept")
    halves, linear = how["HalfPixelCenters"], one.kind == "RESIZE_BILINEAR"
    if linear and not halves:
        raise net.lacks(one, "a corner that is kept")
    sizes = net.values[one.inputs[0]].sizes
    to = net.number(one, "to", [1, sizes[3], height, width])
    net.put(
        one,
        "Resize",
        [net.image(one), "", "", to],
        mode="linear" if linear else "nearest",
        coordinate_transformation_mode="half_pixel" if halves else "asymmetric",
        nearest_mode="round_prefer_ceil" if halves else "floor",
    )


def lrn(net: Net, one: Operation) -> None:
    how = one.options
    size = 2 * how["Radius"] + 1
    net.put(
        one,
        "LRN",
        [net.image(one)],
        size=size,
        alpha=how["Alpha"] * size,
        beta=how["Beta"],
        bias=how["Bias"],
    )
