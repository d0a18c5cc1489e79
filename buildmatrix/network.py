"""A network as data: its layers, the sizes that follow from them, and what it costs.

A network is a chain, and every layer means the same in all stacks: sizes that they would round
differently are refused. `model.yaml` is all that a new network needs.
"""

from __future__ import annotations

from math import prod
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from buildmatrix import cachekey
from buildmatrix.errors import InputError
from buildmatrix.schema import Spec

INPUT = "data"  # name of the input in every exported format
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]


class Shape(NamedTuple):
    """Size of one image's values between two layers."""

    channels: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.channels}x{self.height}x{self.width}"


class InputSpec(Spec):
    """The input layer: the size of the values of one image, channels first."""

    channels: PositiveInt
    height: PositiveInt
    width: PositiveInt


class ConvSpec(Spec):
    """Square convolution with one bias per output channel.

    `pad` zeros are added on each of the four sides. `groups` is 1, or the number of input channels
    (depthwise): TensorFlow 1.x has no other on a CPU.
    """

    type: Literal["conv"]
    name: Name
    outputs: PositiveInt
    kernel: PositiveInt
    stride: PositiveInt = 1
    pad: Annotated[int, Field(ge=0)] = 0
    groups: PositiveInt = 1


class ReluSpec(Spec):
    type: Literal["relu"]
    name: Name


class PoolSpec(Spec):
    """Square pooling window, no padding."""

    type: Literal["pool"]
    name: Name
    method: Literal["max", "average"]
    kernel: PositiveInt
    stride: PositiveInt


class FcSpec(Spec):
    """Fully connected; reads its input flattened, channels first."""

    type: Literal["fc"]
    name: Name
    outputs: PositiveInt


class SoftmaxSpec(Spec):
    """Softmax over the channels of its input: their values become shares that add up to one."""

    type: Literal["softmax"]
    name: Name


Layer = Annotated[
    ConvSpec | ReluSpec | PoolSpec | FcSpec | SoftmaxSpec, Field(discriminator="type")
]


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
        return self


class Step(NamedTuple):
    """A layer between its two shapes. `relu`: its output goes through a ReLU."""

    layer: Layer
    before: Shape
    after: Shape
    relu: bool = False


def steps(net: NetworkSpec) -> tuple[Step, ...]:
    """The layers with their shapes. Raises InputError where a layer does not fit its input."""
    found = []
    shape = input_shape(net)
    for layer in net.layers:
        after = _after(layer, shape, net.name)
        found.append(Step(layer, shape, after))
        shape = after
    return tuple(found)


def fused(net: NetworkSpec) -> tuple[Step, ...]:
    """The same with each ReLU after a convolution or a fully connected layer made part of it, as
    stacks do whose layers have an activation of their own."""
    found: list[Step] = []
    for step in steps(net):
        after = found[-1].layer if found else None
        if isinstance(step.layer, ReluSpec) and isinstance(after, ConvSpec | FcSpec):
            found[-1] = found[-1]._replace(relu=True)
        else:
            found.append(step)
    return tuple(found)


def shapes(net: NetworkSpec) -> tuple[Shape, ...]:
    """The shape after each layer. Raises InputError where a layer does not fit its input."""
    return tuple(step.after for step in steps(net))


def input_shape(net: NetworkSpec) -> Shape:
    return Shape(net.input.channels, net.input.height, net.input.width)


def _after(layer: Layer, shape: Shape, where: str) -> Shape:
    match layer:
        case ConvSpec(outputs=outputs, kernel=kernel, stride=stride, pad=pad):
            _check_groups(layer, shape, where)
            _check_fit(layer, shape, where, pad)
            # A convolution's size is rounded down by every stack.
            height, width = ((size + 2 * pad - kernel) // stride + 1 for size in shape[1:])
            return Shape(outputs, height, width)
        case PoolSpec(kernel=kernel, stride=stride):
            _check_fit(layer, shape, where)
            _check_exact(layer, shape, where)
            height, width = ((size - kernel) // stride + 1 for size in shape[1:])
            return Shape(shape.channels, height, width)
        case FcSpec(outputs=outputs):
            return Shape(outputs, 1, 1)
        case ReluSpec() | SoftmaxSpec():
            return shape


def _check_groups(layer: ConvSpec, shape: Shape, where: str) -> None:
    if layer.groups not in {1, shape.channels} or layer.outputs % layer.groups:
        raise InputError(
            f"{layer.name}: {layer.groups} groups do not fit {shape.channels} input channels and "
            f"{layer.outputs} outputs",
            where=where,
            hint=f"use 1, or {shape.channels} with a multiple of {shape.channels} outputs",
        )


def _check_fit(layer: ConvSpec | PoolSpec, shape: Shape, where: str, pad: int = 0) -> None:
    smallest = min(shape.height, shape.width) + 2 * pad
    if layer.kernel > smallest:
        raise InputError(
            f"{layer.name}: a {layer.kernel}x{layer.kernel} kernel does not fit its {shape} input",
            where=where,
            hint=f"use a kernel of at most {smallest}, or a larger input",
        )


def _check_exact(layer: PoolSpec, shape: Shape, where: str) -> None:
    """Stacks round the size of a pooling up (Caffe) or down (TensorFlow, MXNet)."""
    for size in shape[1:]:
        rest = (size - layer.kernel) % layer.stride
        if rest:
            down = (size - layer.kernel) // layer.stride + 1
            raise InputError(
                f"{layer.name}: pooling {layer.kernel}/{layer.stride} does not divide its {shape} "
                f"input: {down} when rounded down, {down + 1} when rounded up",
                where=where,
                hint=f"make that side {size - rest} or {size - rest + layer.stride}, "
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
            case ConvSpec(name=name, outputs=n, kernel=k, groups=groups):
                found.append((name, (n, before.channels // groups, k, k), n))
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
        net.model_dump(mode="json", exclude={"summary", "tolerance"}, exclude_defaults=True)
    )
