"""A network as data: its layers, the sizes that follow from them, and what it costs.

Every layer means the same in all stacks: sizes that they would round differently are refused.
`model.yaml` is all that a new network needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from buildmatrix import cachekey
from buildmatrix.errors import InputError
from buildmatrix.layers import (
    ActivationSpec,
    ClipSpec,
    ConcatSpec,
    ConvSpec,
    FcSpec,
    FlattenSpec,
    JoinSpec,
    Layer,
    LeakyReluSpec,
    LrnSpec,
    PoolSpec,
    ReluSpec,
    Shape,
    SoftmaxSpec,
    UpsampleSpec,
)
from buildmatrix.schema import Spec

INPUT = "data"  # name of the input in every exported format


class InputSpec(Spec):
    """The input layer: the size of the values of one image, channels first."""

    channels: PositiveInt
    height: PositiveInt
    width: PositiveInt


NumberFormat = Literal["float32", "float16", "int8"]  # of weights and sums, as a runner says it


class NetworkSpec(Spec):
    """`model.yaml`. `tolerance`: largest relative error of a right answer, by number format.
    `gain`: of the drawn weights over He's, for a network in which signals would fade with depth.
    """

    version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$")]
    summary: str
    input: InputSpec
    seed: Annotated[int, Field(ge=0)]
    gain: PositiveFloat = 1.0
    tolerance: Annotated[dict[NumberFormat, PositiveFloat], Field(min_length=1)]
    layers: Annotated[tuple[Layer, ...], Field(min_length=1, strict=False)]

    @model_validator(mode="after")
    def _distinct_names(self) -> NetworkSpec:
        names = [INPUT, *(layer.name for layer in self.layers)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"layer names must differ: {', '.join(twice)} is taken")
        for place, layer in enumerate(self.layers, start=1):
            for read in layer.inputs:
                if read not in names[:place]:
                    raise ValueError(f"{layer.name} reads {read}, which is no layer before it")
        return self


class ImportedNetwork(NetworkSpec):
    """A network whose layers and weights were read from a file in a framework's own format.

    `files`: sha256 by name, of that file and of all that it refers to, below `folder`; the first is
    the file. `values`: the .npy file of the input, which is drawn from the seed when empty.
    `denormals`: how many weights and biases are closer to zero than a normal float32.
    """

    folder: Path
    files: Mapping[str, str]
    values: str = ""
    output: str = ""
    denormals: int = 0

    @property
    def file(self) -> Path:
        return self.folder / next(iter(self.files))


class Step(NamedTuple):
    """A layer between its two shapes. `relu`: its output goes through a ReLU. `reads`: names of
    what it reads, as `befores` are their shapes; `before` is the first."""

    layer: Layer
    before: Shape
    after: Shape
    relu: bool = False
    reads: tuple[str, ...] = ()
    befores: tuple[Shape, ...] = ()


def steps(net: NetworkSpec) -> tuple[Step, ...]:
    """The layers with their shapes. Raises InputError where a layer does not fit its input."""
    found = []
    known = {INPUT: input_shape(net)}
    last = INPUT
    for layer in net.layers:
        reads = layer.inputs or (last,)
        befores = tuple(known[name] for name in reads)
        after = _after(layer, befores, net)
        found.append(Step(layer, befores[0], after, reads=reads, befores=befores))
        last = layer.name
        known[last] = after
    return tuple(found)


def fused(net: NetworkSpec) -> tuple[Step, ...]:
    """The same with each ReLU after a convolution or a fully connected layer made part of it, as
    stacks do whose layers have an activation of their own."""
    plain = steps(net)
    readers = [name for step in plain for name in step.reads]
    found: dict[str, Step] = {}
    taken: dict[str, str] = {}  # a ReLU that is part of another layer -> that layer
    for step in plain:
        reads = tuple(taken.get(name, name) for name in step.reads)
        before = found.get(reads[0])
        if (
            isinstance(step.layer, ReluSpec)
            and before is not None
            and isinstance(before.layer, ConvSpec | FcSpec)
            and readers.count(before.layer.name) == 1
        ):
            found[reads[0]] = before._replace(relu=True)
            taken[step.layer.name] = reads[0]
        else:
            found[step.layer.name] = step._replace(reads=reads)
    return tuple(found.values())


def shapes(net: NetworkSpec) -> tuple[Shape, ...]:
    """The shape after each layer. Raises InputError where a layer does not fit its input."""
    return tuple(step.after for step in steps(net))


def input_shape(net: NetworkSpec) -> Shape:
    return Shape(net.input.channels, net.input.height, net.input.width)


def _after(layer: Layer, befores: tuple[Shape, ...], net: NetworkSpec) -> Shape:
    shape = befores[0]
    _check_count(layer, befores, net.name)
    match layer:
        case ConvSpec(outputs=outputs):
            _check_groups(layer, shape, net)
            _check_fit(layer, shape, net.name)
            # A convolution's size is rounded down by every stack.
            return Shape(outputs, *layer.window.places(shape))
        case PoolSpec():
            _check_fit(layer, shape, net.name)
            _check_exact(layer, shape, net.name)
            return Shape(shape.channels, *layer.window.places(shape))
        case FcSpec(outputs=outputs):
            return Shape(outputs, 1, 1)
        case FlattenSpec():
            return Shape(prod(shape), 1, 1)
        case JoinSpec():
            return _joined(layer, befores, net.name)
        case ConcatSpec():
            return _concatenated(layer, befores, net.name)
        case UpsampleSpec(factor=factor):
            return Shape(shape.channels, shape.height * factor, shape.width * factor)
        case (
            ReluSpec() | SoftmaxSpec() | ClipSpec() | LeakyReluSpec() | ActivationSpec() | LrnSpec()
        ):
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


def _check_groups(layer: ConvSpec, shape: Shape, net: NetworkSpec) -> None:
    """A written network has 1 or as many as channels: TensorFlow 1.x has no other on a CPU. A file
    may have more, and the formats say what they can take."""
    known = {1, shape.channels}
    if isinstance(net, ImportedNetwork) and shape.channels % layer.groups == 0:
        known.add(layer.groups)
    if layer.groups not in known or layer.outputs % layer.groups:
        raise InputError(
            f"{layer.name}: {layer.groups} groups do not fit {shape.channels} input channels and "
            f"{layer.outputs} outputs",
            where=net.name,
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


def parameters(net: NetworkSpec) -> int:
    """Number of weights and biases."""
    return sum(prod(w) + b for _, w, b in parameter_shapes(net))


def parameter_shapes(net: NetworkSpec) -> tuple[tuple[str, tuple[int, ...], int], ...]:
    """(layer, weight shape, number of biases) of each layer that has any.

    Weights are (outputs, inputs of a group, height, width) of a convolution, (outputs, inputs) of a
    fully connected layer.
    """
    found: list[tuple[str, tuple[int, ...], int]] = []
    for layer, before, *_ in steps(net):
        match layer:
            case ConvSpec(name=name, outputs=n, groups=groups):
                found.append((name, (n, before.channels // groups, *layer.window.kernel), n))
            case FcSpec(name=name, outputs=n):
                found.append((name, (n, prod(before)), n))
            case _:
                pass
    return tuple(found)


def multiply_adds(net: NetworkSpec) -> int:
    """Multiply-adds of one image through convolutions and fully connected layers."""
    positions = {
        layer.name: shape.height * shape.width
        for layer, shape in zip(net.layers, shapes(net), strict=True)
    }
    return sum(prod(weight) * positions[name] for name, weight, _ in parameter_shapes(net))


def digest(net: NetworkSpec) -> str:
    """Identity of what is computed: name, sizes, layers and the seed of weights and input.

    The summary may be reworded and the tolerance moved without making another network of it; a
    setting at its default counts as not written, so that a new kind of setting changes nothing.
    """
    return cachekey.digest(
        net.model_dump(
            mode="json", exclude={"summary", "tolerance", "folder"}, exclude_defaults=True
        )
    )
