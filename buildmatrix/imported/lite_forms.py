"""Operators of TensorFlow Lite that change the form, the order or the size of a value, in ONNX."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from tflite import ActivationFunctionType as Act

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.imported.lite_graph import Operation
    from buildmatrix.imported.lite_net import Net

ENDLESS = 2**62  # an end that no axis reaches


def concatenation(net: Net, one: Operation) -> None:
    how = one.options
    if how["FusedActivationFunction"] != Act.NONE:  # LiteRT 2.3 refuses it, or leaves it out
        raise net.lacks(one, "an activation in the options")
    inputs = [net.read(one, place) for place in range(len(one.inputs))]
    net.put(one, "Concat", inputs, axis=net.first_axis(one.outputs[0], how["Axis"]))


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
    _, *area, channels = net.values[one.inputs[0]].sizes
    if not all(area):
        raise net.lacks(one, "a size that is not known")
    groups = one.options["Groups"]
    parted = np.array([1, groups, channels // groups, *area], np.int64)
    value = net.node(one, "Reshape", [net.read(one), net.number(one, "parted", parted)])
    value = net.node(one, "Transpose", [value], perm=[0, 2, 1, 3, 4][: len(parted)])
    whole = np.array([1, channels, *area], np.int64)
    net.put(one, "Reshape", [value, net.number(one, "whole", whole)])


def depth_to_space(net: Net, one: Operation) -> None:
    net.put(one, "DepthToSpace", [net.image(one)], blocksize=one.options["BlockSize"])


def reduced(net: Net, one: Operation) -> None:
    axes = sorted(net.axis(one.inputs[0], axis) for axis in net.numbers(one, 1))
    kind = "ReduceMean" if one.kind == "MEAN" else "ReduceMax"
    net.put(one, kind, [net.named(one)], axes=axes, keepdims=int(one.options["KeepDims"]))


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
    value, along = net.read(one, place), net.first_axis(one.inputs[place], axis)
    for top, (size, end) in enumerate(zip(sizes, accumulate(sizes), strict=True)):
        _part(net, one, value, ([end - size], [end], [along]), top)


def _slice(net: Net, one: Operation, begins: Sequence[int], ends: Sequence[int]) -> None:
    axes = [net.first_axis(one.inputs[0], axis) for axis in range(len(begins))]
    _part(net, one, net.read(one), (begins, ends, axes), 0)


def _part(net: Net, one: Operation, value: str, bounds: Sequence[Sequence[int]], top: int) -> None:
    """One output: what of a value lies between begins and ends, along some of its axes."""
    names = [net.number(one, "part", np.array(bound, np.int64)) for bound in bounds]
    net.put(one, "Slice", [value, *names], top=top)
