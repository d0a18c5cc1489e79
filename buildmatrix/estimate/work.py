"""What a network asks of a board, layer by layer: the kind of kernel, arithmetic, what is moved.

Libraries for ARM have kernels of their own for these kinds of layers, and a multiply-add costs
several times as much in one as in another. Pure.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil, prod
from typing import TYPE_CHECKING

from buildmatrix import network
from buildmatrix.layers import (
    ClipSpec,
    ConvSpec,
    DeconvSpec,
    FcSpec,
    FlattenSpec,
    LeakyReluSpec,
    PReluSpec,
    ReluSpec,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from buildmatrix.network import NetworkSpec, Step

NARROW = 16  # channels below which libraries take no Winograd kernel
TILES = (6, 4, 2)  # sides of the output tiles of Winograd kernels for 3x3 windows
Window = ConvSpec | DeconvSpec


class Part(StrEnum):
    """What time is spent on; each has one coefficient that all boards share."""

    PRODUCTS = "matrix products"  # multiply-adds; of a Winograd kernel those that are left
    GROUPED = "matrix products of groups"
    DEPTHWISE = "depthwise windows"
    WEIGHTS = "reading weights"
    VALUES = "reading and writing values of convolutions"
    PASSES = "layers without weights"  # values that they read and write
    TILES = "Winograd's tiles"  # values, as often as tiles overlap
    COPIES = "copying windows into columns"
    CALLS = "calling layers"


@dataclass(frozen=True, slots=True)
class Work:
    """One layer: `multiply_adds` of one image as they are written, and what it asks for."""

    layer: str
    multiply_adds: int
    asks: Mapping[Part, float] = field(default_factory=dict)


def works(net: NetworkSpec) -> tuple[Work, ...]:
    """What each layer asks for. An activation that every library makes part of the layer before it
    asks for nothing. Raises InputError where a layer does not fit its input."""
    weights = {name: prod(shape) for name, shape, _ in network.parameter_shapes(net)}
    made = network.steps(net)
    weighty = {step.layer.name for step in made if isinstance(step.layer, Window | FcSpec)}
    return tuple(
        _work(step, weights.get(step.layer.name, 0))
        for step in made
        if not isinstance(step.layer, FlattenSpec) and not _is_part(step, weighty)
    )


def total(parts: Iterable[Work]) -> Mapping[Part, float]:
    """What all layers ask for together."""
    asks: Counter[Part] = Counter()
    for one in parts:
        asks.update(one.asks)
    return {part: float(asks[part]) for part in Part}


def _is_part(step: Step, weighty: set[str]) -> bool:
    activation = isinstance(step.layer, ReluSpec | ClipSpec | LeakyReluSpec | PReluSpec)
    return activation and step.reads[0] in weighty


def _work(step: Step, weights: int) -> Work:
    layer = step.layer
    asks: Mapping[Part, float]
    moved = sum(prod(shape) for shape in step.befores) + prod(step.after)
    pixels = prod((step.before if isinstance(layer, DeconvSpec) else step.after)[1:])
    match layer:
        case FcSpec():
            count, asks = weights, {Part.VALUES: moved}
        case ConvSpec() | DeconvSpec():
            count = weights * pixels
            asks = {**_window(layer, step, count), Part.VALUES: moved}
        case _:
            count, asks = 0, {Part.PASSES: moved}
    if isinstance(layer, ConvSpec) and _is_tiled(layer, step):
        return Work(layer.name, count, _tiled(step, count, weights, moved))
    return Work(layer.name, count, {Part.WEIGHTS: weights, Part.CALLS: 1, **asks})


def _window(layer: Window, step: Step, count: int) -> dict[Part, float]:
    """The arithmetic of a convolution that no Winograd kernel takes. One of a single pixel is a
    matrix times a vector, as a fully connected layer is: its time is that of its weights."""
    if prod(step.after[1:]) == 1 and layer.groups == 1:
        return {}
    if layer.groups == step.before.channels > 1:
        return {Part.DEPTHWISE: count}
    copied = {} if layer.window.kernel == (1, 1) else {Part.COPIES: count / layer.outputs}
    return {Part.GROUPED if layer.groups > 1 else Part.PRODUCTS: count, **copied}


def _is_tiled(layer: ConvSpec, step: Step) -> bool:
    window = layer.window
    wide = layer.groups == 1 and min(step.before.channels, layer.outputs) >= NARROW
    return wide and window.kernel == (3, 3) and window.stride == window.dilation == (1, 1)


def _tiled(step: Step, count: int, weights: int, moved: int) -> dict[Part, float]:
    """By the tile that leaves the fewest multiply-adds: a side of `m` takes (m + 2)^2 for m^2
    outputs of nine each, and what hangs over the edge is computed too."""
    height, width = step.after[1:]
    over = {m: ceil(height / m) * ceil(width / m) * (m + 2) ** 2 / (height * width) for m in TILES}
    side = min(TILES, key=lambda m: over[m])
    return {
        Part.PRODUCTS: count * over[side] / 9,
        Part.WEIGHTS: weights * (side + 2) ** 2 / 9,
        Part.TILES: moved * over[side],
        Part.CALLS: 1,
    }
