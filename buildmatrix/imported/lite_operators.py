"""What an operator of TensorFlow Lite is in ONNX. Meanings as tensorflow v2.14.1,
tensorflow/lite/kernels, and the options of its schema."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from tflite import ActivationFunctionType as Act
from tflite import MirrorPadMode, Padding

from buildmatrix.imported.lite_net import IMAGE, TO_FIRST, Net, clipped
from buildmatrix.imported.lite_patterns import SHUFFLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from buildmatrix.imported.lite_graph import Operation

ENDLESS = 2**62  # an end that no axis reaches
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


def joined(net: Net, one: Operation) -> None:
    """Of two values, one of which may be a constant."""
    act = one.options.get("FusedActivationFunction", Act.NONE)
    kinds = {"MAXIMUM": "Max", "MINIMUM": "Min"}
    rank = net.rank(one.outputs[0])
    inputs = [_broadcast(net, one, place, rank) for place in range(2)]
    net.put(one, kinds.get(one.kind, one.kind.capitalize()), inputs, act=act)


def _broadcast(net: Net, one: Operation, place: int, rank: int) -> str:
    """An input of a node that makes a value of so many axes."""
    if one.inputs[place] in net.names:
        if net.rank(one.inputs[place]) != rank:
            raise net.lacks(one, "values of different forms")
        return net.read(one, place)
    values = net.weights(one, place)
    values = values.reshape((1,) * (rank - values.ndim) + values.shape)
    return net.number(one, "given", values.transpose(TO_FIRST) if rank == len(IMAGE) else values)


def concatenation(net: Net, one: Operation) -> None:
    how = one.options
    if how["FusedActivationFunction"] != Act.NONE:  # LiteRT 2.3 refuses it, or leaves it out
        raise net.lacks(one, "an activation in the options")
    inputs = [net.read(one, place) for place in range(len(one.inputs))]
    net.put(one, "Concat", inputs, axis=_axis(net, one.outputs[0], how["Axis"]))


def _axis(net: Net, number: int, axis: int) -> int:
    """An axis of an image, channels first, by its number in the file."""
    rank = net.rank(number)
    return IMAGE[axis % rank] if rank == len(IMAGE) else axis % rank


def reshaped(net: Net, one: Operation) -> None:
    """Whatever keeps the values in their order. An image that is made has its channels last until
    somebody wants them first."""
    made = one.outputs[0]
    sizes = net.values[made].sizes
    if sizes.count(0) > 1:
        raise net.lacks(one, "a size that is not known")
    shape = [size or (1 if place == 0 else -1) for place, size in enumerate(sizes)]
    name = net.node(one, "Reshape", [net.plain(one), net.number(one, "to", shape)])
    net.made(made, name, tuple(range(len(shape))))


def reordered(net: Net, one: Operation) -> None:
    """Only said of the value: who reads it takes it as it likes."""
    order = tuple(net.axis(one.inputs[0], axis) for axis in net.numbers(one, 1))
    net.made(one.outputs[0], net.named(one), order)


def shuffled(net: Net, one: Operation) -> None:
    """As networks of ONNX say it."""
    _, height, width, channels = net.values[one.inputs[0]].sizes
    if not height * width:
        raise net.lacks(one, "a size that is not known")
    groups = one.options["Groups"]
    parted = np.array([1, groups, channels // groups, height, width], np.int64)
    value = net.node(one, "Reshape", [net.image(one), net.number(one, "parted", parted)])
    value = net.node(one, "Transpose", [value], perm=[0, 2, 1, 3, 4])
    whole = np.array([1, channels, height, width], np.int64)
    net.put(one, "Reshape", [value, net.number(one, "whole", whole)])


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


def reduced(net: Net, one: Operation) -> None:
    axes = sorted(net.axis(one.inputs[0], axis) for axis in net.numbers(one, 1))
    kind = "ReduceMean" if one.kind == "MEAN" else "ReduceMax"
    net.put(one, kind, [net.named(one)], axes=axes, keepdims=int(one.options["KeepDims"]))


def resized(net: Net, one: Operation) -> None:
    how, (height, width) = one.options, net.numbers(one, 1)
    if how["AlignCorners"]:
        raise net.lacks(one, "corners that are kept")
    halves = how["HalfPixelCenters"]
    sizes = net.values[one.inputs[0]].sizes
    to = net.number(one, "to", [1, sizes[3], height, width])
    net.put(
        one,
        "Resize",
        [net.image(one), "", "", to],
        mode="nearest",
        coordinate_transformation_mode="half_pixel" if halves else "asymmetric",
        nearest_mode="round_prefer_ceil" if halves else "floor",
    )


def softmax(net: Net, one: Operation) -> None:
    if one.options["Beta"] != 1:
        raise net.lacks(one, f"beta {one.options['Beta']:g}")
    net.put(one, "Softmax", [net.read(one)], axis=_axis(net, one.inputs[0], -1))


def leaky(net: Net, one: Operation) -> None:
    net.put(one, "LeakyRelu", [net.read(one)], alpha=one.options["Alpha"])


def prelu(net: Net, one: Operation) -> None:
    name = net.read(one)
    net.put(one, "PRelu", [name, _broadcast(net, one, 1, net.rank(one.inputs[0]))])


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


def cut(net: Net, one: Operation) -> None:
    begins, sizes = net.numbers(one, 1), net.numbers(one, 2)
    ends = [ENDLESS if s < 0 else b + s for b, s in zip(begins, sizes, strict=True)]
    _slice(net, one, begins, ends)


def strided(net: Net, one: Operation) -> None:
    how = one.options
    begins, ends, steps = (net.numbers(one, place) for place in (1, 2, 3))
    if how["EllipsisMask"] or how["NewAxisMask"] or how["ShrinkAxisMask"] or {*steps} - {1}:
        raise net.lacks(one, "another form of a part")
    begins = [0 if how["BeginMask"] >> axis & 1 else begin for axis, begin in enumerate(begins)]
    ends = [ENDLESS if how["EndMask"] >> axis & 1 else end for axis, end in enumerate(ends)]
    _slice(net, one, begins, ends)


def split(net: Net, one: Operation) -> None:
    """Parts of equal size, or of those that the second input says."""
    if one.kind == "SPLIT":
        (axis,), place = net.numbers(one, 0), 1
        whole = net.values[one.inputs[1]].sizes[axis]
        if not whole:
            raise net.lacks(one, "a size that is not known")
        sizes = [whole // len(one.outputs)] * len(one.outputs)
    else:
        sizes, (axis,), place = net.numbers(one, 1), net.numbers(one, 2), 0
    name, rank = net.read(one, place), net.rank(one.inputs[place])
    ends = [*accumulate(sizes)]
    for top, (size, end) in enumerate(zip(sizes, ends, strict=True)):
        bounds = ([end - size], [end], [_axis(net, one.inputs[place], axis % rank)])
        names = [net.number(one, f"part{top}", np.array(b, np.int64)) for b in bounds]
        net.put(one, "Slice", [name, *names], top=top)


def _slice(net: Net, one: Operation, begins: Sequence[int], ends: Sequence[int]) -> None:
    name = net.read(one)
    axes = [_axis(net, one.inputs[0], axis) for axis in range(len(begins))]
    bounds = (begins, ends, axes)
    names = [net.number(one, "part", np.array(bound, np.int64)) for bound in bounds]
    net.put(one, "Slice", [name, *names])


def floats(net: Net, one: Operation) -> None:
    """Weights that are kept in half the bits, or in whole numbers: a constant."""
    value, content = net.values[one.inputs[0]], net.constant(one, 0)
    if content is None:
        raise net.quantized(one)
    net.room.take(4 * content.size)
    net.known[one.outputs[0]] = _scaled(value.scales, value.zeros, value.axis, content)


def _scaled(
    scales: Sequence[float], zeros: Sequence[int], axis: int, content: NDArray[Any]
) -> NDArray[np.float32]:
    if not scales:
        return content.astype(np.float32)
    shape = [1] * content.ndim
    if content.ndim:
        shape[axis] = -1
    step, zero = (np.array(one or (0,), np.float64).reshape(shape) for one in (scales, zeros))
    scaled: NDArray[np.float32] = ((content - zero) * step).astype(np.float32)
    return scaled


def _plain(kind: str, **how: Any) -> Callable[[Net, Operation], None]:
    def one(net: Net, operation: Operation) -> None:
        net.put(operation, kind, [net.read(operation)], **how)

    return one


def _clip(low: float, high: float) -> Callable[[Net, Operation], None]:
    def one(net: Net, operation: Operation) -> None:
        kind, *bounds = clipped(low, high)(net, operation)
        net.put(operation, kind, [net.read(operation), *bounds])

    return one


OPERATORS: Mapping[str, Callable[[Net, Operation], None]] = {
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": convolution,
    "TRANSPOSE_CONV": transposed,
    "FULLY_CONNECTED": full,
    "MAX_POOL_2D": pooling,
    "AVERAGE_POOL_2D": pooling,
    "ADD": joined,
    "SUB": joined,
    "MUL": joined,
    "DIV": joined,
    "MAXIMUM": joined,
    "MINIMUM": joined,
    "CONCATENATION": concatenation,
    "RESHAPE": reshaped,
    "SQUEEZE": reshaped,
    "EXPAND_DIMS": reshaped,
    "TRANSPOSE": reordered,
    "PAD": padded,
    "PADV2": padded,
    "MIRROR_PAD": padded,
    "MEAN": reduced,
    "REDUCE_MAX": reduced,
    "RESIZE_NEAREST_NEIGHBOR": resized,
    "SOFTMAX": softmax,
    "LOGISTIC": _plain("Sigmoid"),
    "TANH": _plain("Tanh"),
    "RELU": _plain("Relu"),
    "RELU6": _clip(0, 6),
    "RELU_N1_TO_1": _clip(-1, 1),
    "RELU_0_TO_1": _clip(0, 1),
    "LEAKY_RELU": leaky,
    "PRELU": prelu,
    "HARD_SWISH": _plain("HardSwish"),
    "LOCAL_RESPONSE_NORMALIZATION": lrn,
    "SLICE": cut,
    "STRIDED_SLICE": strided,
    "SPLIT": split,
    "SPLIT_V": split,
    "DEQUANTIZE": floats,
    SHUFFLE: shuffled,
}
