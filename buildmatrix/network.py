"""A network as data: its layers, the sizes that follow from them, and what it costs.

A network is a chain. Convolutions have stride 1, no padding and a bias; `model.yaml` is all that
a new network needs.
"""

from __future__ import annotations

from math import prod
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from buildmatrix import keys
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
    """One image."""

    channels: PositiveInt
    height: PositiveInt
    width: PositiveInt


class ConvSpec(Spec):
    """Square convolution with stride 1, no padding, and one bias per output channel."""

    type: Literal["conv"]
    name: Name
    outputs: PositiveInt
    kernel: PositiveInt


class ReluSpec(Spec):
    type: Literal["relu"]
    name: Name


class PoolSpec(Spec):
    """Square pooling window, no padding."""

    type: Literal["pool"]
    name: Name
    method: Literal["max"]
    kernel: PositiveInt
    stride: PositiveInt


class FcSpec(Spec):
    """Fully connected; reads its input flattened, channels first."""

    type: Literal["fc"]
    name: Name
    outputs: PositiveInt


class SoftmaxSpec(Spec):
    """Over the channels."""

    type: Literal["softmax"]
    name: Name


Layer = Annotated[
    ConvSpec | ReluSpec | PoolSpec | FcSpec | SoftmaxSpec, Field(discriminator="type")
]


NumberFormat = Literal["float32", "float16", "int8"]  # of weights and sums, as a runner says it


class NetworkSpec(Spec):
    """`model.yaml`. `tolerance`: largest relative error of a right answer, by number format."""

    version: Literal[1]
    name: Name
    summary: str
    input: InputSpec
    seed: Annotated[int, Field(ge=0)]
    tolerance: Annotated[dict[NumberFormat, PositiveFloat], Field(min_length=1)]
    layers: Annotated[tuple[Layer, ...], Field(min_length=1, strict=False)]

    @model_validator(mode="after")
    def _distinct_names(self) -> NetworkSpec:
        names = [INPUT, *(layer.name for layer in self.layers)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"layer names must differ: {', '.join(twice)} is taken")
        return self


def shapes(net: NetworkSpec) -> tuple[Shape, ...]:
    """The shape after each layer. Raises InputError where a layer does not fit its input."""
    found = []
    shape = input_shape(net)
    for layer in net.layers:
        shape = _after(layer, shape, net.name)
        found.append(shape)
    return tuple(found)


def input_shape(net: NetworkSpec) -> Shape:
    return Shape(net.input.channels, net.input.height, net.input.width)


def _after(layer: Layer, shape: Shape, where: str) -> Shape:
    match layer:
        case ConvSpec(outputs=outputs, kernel=kernel):
            _check_fit(layer, shape, where)
            return Shape(outputs, shape.height - kernel + 1, shape.width - kernel + 1)
        case PoolSpec(kernel=kernel, stride=stride):
            _check_fit(layer, shape, where)
            _check_exact(layer, shape, where)
            height, width = ((size - kernel) // stride + 1 for size in shape[1:])
            return Shape(shape.channels, height, width)
        case FcSpec(outputs=outputs):
            return Shape(outputs, 1, 1)
        case ReluSpec() | SoftmaxSpec():
            return shape


def _check_fit(layer: ConvSpec | PoolSpec, shape: Shape, where: str) -> None:
    smallest = min(shape.height, shape.width)
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

    Weights are (outputs, inputs, height, width) of a convolution, (outputs, inputs) of a fully
    connected layer.
    """
    found: list[tuple[str, tuple[int, ...], int]] = []
    before = (input_shape(net), *shapes(net))
    for layer, shape in zip(net.layers, before, strict=False):
        match layer:
            case ConvSpec(name=name, outputs=n, kernel=k):
                found.append((name, (n, shape.channels, k, k), n))
            case FcSpec(name=name, outputs=n):
                found.append((name, (n, prod(shape)), n))
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
    """Identity of the network; its summary may be reworded without changing it."""
    return keys.digest(net.model_dump(mode="json", exclude={"summary"}))
