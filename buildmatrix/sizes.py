"""The size of what each kind of layer makes of its inputs, and what does not fit. Pure.

Every layer means the same in all stacks: sizes that they would round differently are refused.
"""

from __future__ import annotations

from math import prod

from buildmatrix.errors import InputError
from buildmatrix.layers import (
    ConcatSpec,
    ConvSpec,
    DeconvSpec,
    DepthToSpaceSpec,
    FcSpec,
    FlattenSpec,
    JoinSpec,
    Layer,
    PadSpec,
    PoolSpec,
    Shape,
    ShuffleSpec,
    SliceSpec,
    UpsampleSpec,
)


def after(
    layer: Layer, befores: tuple[Shape, ...], *, where: str, any_groups: bool = False
) -> Shape:
    """The size of what a layer makes of values of these sizes. `where` is the network's name.
    `any_groups`: whether convolutions may have other groups than 1 and the channels.

    Raises InputError where the layer does not fit.
    """
    shape = befores[0]
    _check_count(layer, befores, where)
    match layer:
        case ConvSpec() | DeconvSpec() | PoolSpec():
            return _windowed(layer, shape, where, any_groups=any_groups)
        case JoinSpec():
            return _joined(layer, befores, where)
        case ConcatSpec():
            return _concatenated(layer, befores, where)
        case FcSpec(outputs=outputs):
            return Shape(outputs, 1, 1)
        case FlattenSpec():
            return Shape(prod(shape), 1, 1)
        case SliceSpec() | PadSpec() | UpsampleSpec() | ShuffleSpec() | DepthToSpaceSpec():
            return _formed(layer, shape, where)
        case _:
            return shape


def _windowed(
    layer: ConvSpec | DeconvSpec | PoolSpec, shape: Shape, where: str, *, any_groups: bool
) -> Shape:
    if not isinstance(layer, PoolSpec):
        _check_groups(layer, shape, where, any_groups=any_groups)
    if isinstance(layer, DeconvSpec):
        return Shape(layer.outputs, *_spread(layer, shape, where))
    _check_fit(layer, shape, where)
    if isinstance(layer, ConvSpec):  # its size is rounded down by every stack
        return Shape(layer.outputs, *layer.window.places(shape))
    _check_exact(layer, shape, where)
    return Shape(shape.channels, *layer.window.places(shape))


def _formed(
    layer: SliceSpec | PadSpec | UpsampleSpec | ShuffleSpec | DepthToSpaceSpec,
    shape: Shape,
    where: str,
) -> Shape:
    channels, height, width = shape
    match layer:
        case SliceSpec(first=first):
            _check_channels(layer, first + layer.channels, shape, where)
            return Shape(layer.channels, height, width)
        case PadSpec():
            top, left, bottom, right = layer.sides
            _check_mirror(layer, shape, where)
            return Shape(
                channels + sum(layer.channels), height + top + bottom, width + left + right
            )
        case UpsampleSpec(factor=factor):
            return Shape(channels, height * factor, width * factor)
        case DepthToSpaceSpec(block=block):
            _check_equal_groups(layer, block**2, shape, where)
            return Shape(channels // block**2, height * block, width * block)
        case ShuffleSpec(groups=groups):
            _check_equal_groups(layer, groups, shape, where)
            return shape


def _check_count(layer: Layer, befores: tuple[Shape, ...], where: str) -> None:
    wanted = 2 if isinstance(layer, JoinSpec) else 1
    if len(befores) != wanted and not isinstance(layer, ConcatSpec):
        raise InputError(
            f"{layer.name}: {layer.type} reads {wanted} input{'s' * (wanted > 1)}, and is given "
            f"{len(befores)}",
            where=where,
            hint="name the layers that it reads under `inputs`",
        )


def _joined(layer: JoinSpec, befores: tuple[Shape, ...], where: str) -> Shape:
    large, small = sorted(befores, key=prod, reverse=True)
    if small not in (large, Shape(large.channels, 1, 1)):
        raise InputError(
            f"{layer.name}: {befores[0]} and {befores[1]} cannot be joined value by value",
            where=where,
            hint="give both the same size, or one of them a single pixel",
        )
    return large


def _concatenated(layer: ConcatSpec, befores: tuple[Shape, ...], where: str) -> Shape:
    first = befores[0]
    if any(one[1:] != first[1:] for one in befores):
        sizes = ", ".join(map(str, befores))
        raise InputError(
            f"{layer.name}: channels of {sizes} cannot stand one after the other",
            where=where,
            hint="give all the same height and width",
        )
    return Shape(sum(one.channels for one in befores), first.height, first.width)


def _check_groups(
    layer: ConvSpec | DeconvSpec, shape: Shape, where: str, *, any_groups: bool
) -> None:
    """A written network has 1 or as many as channels: TensorFlow 1.x has no other on a CPU. A file
    may have more, and the formats say what they can take."""
    known = {1, shape.channels}
    if any_groups and shape.channels % layer.groups == 0:
        known.add(layer.groups)
    if layer.groups not in known or layer.outputs % layer.groups:
        raise InputError(
            f"{layer.name}: {layer.groups} groups do not fit {shape.channels} input channels and "
            f"{layer.outputs} outputs",
            where=where,
            hint=f"use 1, or {shape.channels} with a multiple of {shape.channels} outputs",
        )


def _check_fit(layer: ConvSpec | PoolSpec, shape: Shape, where: str) -> None:
    rows, columns = layer.window.places(shape)
    if min(rows, columns) > 0:
        return
    top, left, bottom, right = layer.window.pads
    smallest = min(shape.height + top + bottom, shape.width + left + right)
    height, width = layer.window.reach
    raise InputError(
        f"{layer.name}: a {height}x{width} kernel does not fit its {shape} input",
        where=where,
        hint=f"use a kernel of at most {smallest}, or a larger input",
    )


def _check_exact(layer: PoolSpec, shape: Shape, where: str) -> None:
    """Stacks round the size of a pooling up (Caffe) or down (TensorFlow, MXNet)."""
    window = layer.window
    top, left, bottom, right = window.pads
    grown = (shape.height + top + bottom, shape.width + left + right)
    for size, kernel, stride in zip(grown, window.kernel, window.stride, strict=True):
        rest = (size - kernel) % stride
        if rest:
            down = (size - kernel) // stride + 1
            raise InputError(
                f"{layer.name}: pooling {kernel}/{stride} does not divide its {shape} "
                f"input: {down} when rounded down, {down + 1} when rounded up",
                where=where,
                hint=f"make that side {size - rest} or {size - rest + stride}, "
                "so that all stacks agree",
            )


def _spread(layer: DeconvSpec, shape: Shape, where: str) -> tuple[int, int]:
    """Height and width of what a transposed convolution makes."""
    top, left, bottom, right = layer.window.pads
    rows, columns = (
        (size - 1) * stride + kernel - cut
        for size, stride, kernel, cut in zip(
            shape[1:],
            layer.window.stride,
            layer.window.kernel,
            (top + bottom, left + right),
            strict=True,
        )
    )
    if min(rows, columns) < 1 or min(layer.window.pads) < 0:
        raise InputError(
            f"{layer.name}: a pad of {layer.pad} adds to its {shape} input or leaves nothing",
            where=where,
            hint="cut fewer rows and columns off",
        )
    return rows, columns


def _check_channels(layer: SliceSpec, last: int, shape: Shape, where: str) -> None:
    if last > shape.channels:
        raise InputError(
            f"{layer.name}: channels {layer.first} to {last - 1} are not all in its {shape} input",
            where=where,
            hint=f"end at {shape.channels - 1}, its last",
        )


def _check_equal_groups(
    layer: ShuffleSpec | DepthToSpaceSpec, groups: int, shape: Shape, where: str
) -> None:
    if shape.channels % groups:
        raise InputError(
            f"{layer.name}: {shape.channels} channels are no {groups} equal groups",
            where=where,
            hint="use a number of groups that divides the channels",
        )


def _check_mirror(layer: PadSpec, shape: Shape, where: str) -> None:
    """A mirror has no more rows than the image has beside its edge."""
    top, left, bottom, right = layer.sides
    if layer.mode == "reflect" and (
        max(top, bottom) >= shape.height or max(left, right) >= shape.width
    ):
        raise InputError(
            f"{layer.name}: its {shape} input has too little to mirror for a pad of {layer.pad}",
            where=where,
            hint="add fewer rows and columns, or a larger image",
        )
