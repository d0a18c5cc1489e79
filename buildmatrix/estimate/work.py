"""What a network asks of a board, layer by layer: the kind of kernel, arithmetic, what is moved.

Libraries for ARM have kernels of their own for these kinds of layers, and a multiply-add costs
several times as much in one as in another. What a layer asks for is what ncnn does for it, in its
sources and in profiles of it (docs/estimate.md). Pure.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil, prod
from typing import TYPE_CHECKING

from buildmatrix import network
from buildmatrix.layers import (
    ActivationSpec,
    ClipSpec,
    ConvSpec,
    DeconvSpec,
    FcSpec,
    FlattenSpec,
    LeakyReluSpec,
    LrnSpec,
    PReluSpec,
    ReluSpec,
    SliceSpec,
    SoftmaxSpec,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from buildmatrix.network import NetworkSpec, Step

NARROW = 8  # channels below which libraries take no Winograd kernel
TILES = (6, 4, 2)  # sides of the output tiles of Winograd kernels for 3x3 windows
SIDES, STEPS = (3, 5), (1, 2)  # of depthwise windows that there is a kernel for
EXPONENTIAL = 13  # multiply-adds of a value's: 3.25 instructions of four, as counted
Window = ConvSpec | DeconvSpec


class Part(StrEnum):
    """What time is spent on; each has one coefficient that all boards share."""

    PRODUCTS = "matrix products"  # multiply-adds; of a Winograd kernel those that are left
    GROUPED = "matrix products of groups"
    DEPTHWISE = "depthwise windows"
    ODD_DEPTHWISE = "depthwise windows of other sizes"  # than there is a kernel for
    EXPONENTIALS = "exponentials"  # their multiply-adds
    WEIGHTS = "reading weights"
    VALUES = "reading and writing values of convolutions"
    PASSES = "layers without weights"  # values that they read and write
    TILES = "Winograd's tiles"  # values, as often as tiles overlap
    COPIES = "copying windows into columns"  # and pixels, for a window of one
    CALLS = "calling layers"


@dataclass(frozen=True, slots=True)
class Work:
    """One layer: `multiply_adds` of one image as they are written, and what it asks for."""

    layer: str
    multiply_adds: int
    asks: Mapping[Part, float] = field(default_factory=dict)


def works(net: NetworkSpec) -> tuple[Work, ...]:
    """What each layer asks for. Raises InputError where a layer does not fit its input."""
    weights = {name: prod(shape) for name, shape, _ in network.parameter_shapes(net)}
    made = network.steps(net)
    weighty = {step.layer.name for step in made if isinstance(step.layer, Window | FcSpec)}
    return tuple(
        _work(step, weights.get(step.layer.name, 0), is_part=_is_part(step, weighty))
        for step in made
        if not isinstance(step.layer, FlattenSpec)
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


def _work(step: Step, weights: int, *, is_part: bool) -> Work:
    """`is_part`: an activation of the convolution before it, in the releases of the published times
    one more pass over what comes out, without a call."""
    layer, made = step.layer, prod(step.after)
    if is_part:
        return Work(layer.name, 0, {Part.VALUES: 2 * made})
    if isinstance(layer, Window):
        return _convolution(layer, step, weights)
    if isinstance(layer, FcSpec):
        asks = {Part.WEIGHTS: weights, Part.VALUES: _moved(step), Part.CALLS: 1}
        return Work(layer.name, weights, asks)
    match layer:
        case LrnSpec():  # squares, a sum of `size` of them one by one, and a power of that
            moved, exponentials = made * (3 * layer.size + 5), 2 * made
        case SoftmaxSpec() | ActivationSpec(type="sigmoid" | "tanh" | "gelu" | "log"):
            moved, exponentials = _moved(step), made
        case SliceSpec():
            moved, exponentials = 2 * made, 0
        case _:
            moved, exponentials = _moved(step), 0
    asks = {Part.EXPONENTIALS: exponentials * EXPONENTIAL, Part.PASSES: moved, Part.CALLS: 1}
    return Work(layer.name, 0, asks)


def _moved(step: Step) -> int:
    return sum(prod(shape) for shape in step.befores) + prod(step.after)


def _convolution(layer: Window, step: Step, weights: int) -> Work:
    """Padding is a copy of the input with a border; each of several groups is a call. What makes a
    single pixel is a matrix times a vector, as a fully connected layer is: its time is that of its
    weights."""
    count = weights * prod((step.before if isinstance(layer, DeconvSpec) else step.after)[1:])
    bordered = 2 * prod(step.before) if any(layer.window.pads) else 0
    depthwise = layer.groups == step.before.channels > 1
    asks: dict[Part, float] = {
        Part.WEIGHTS: weights,
        Part.VALUES: _moved(step) + bordered,
        Part.CALLS: 1 if depthwise else layer.groups,
    }
    products = Part.GROUPED if layer.groups > 1 else Part.PRODUCTS
    if depthwise:
        asks[Part.DEPTHWISE if _has_kernel(layer) else Part.ODD_DEPTHWISE] = count
    elif isinstance(layer, ConvSpec) and _is_tiled(layer, step):
        over, side = _tiles(step)
        asks[products] = count * over / 9
        asks[Part.WEIGHTS] = weights * (side + 2) ** 2 / 9
        asks[Part.TILES] = _moved(step) * over
        asks[Part.VALUES] = bordered
    elif prod(step.after[1:]) > 1 or layer.groups > 1:
        asks[products] = count
        asks[Part.COPIES] = count * layer.groups / layer.outputs
    return Work(layer.name, count, asks)


def _has_kernel(layer: Window) -> bool:
    window = layer.window
    sides = {(side, side) for side in SIDES}
    steps = {(step, step) for step in STEPS}
    return (
        isinstance(layer, ConvSpec)
        and window.kernel in sides
        and window.stride in steps
        and window.dilation == (1, 1)
    )


def _is_tiled(layer: ConvSpec, step: Step) -> bool:
    window = layer.window
    wide = min(step.before.channels, layer.outputs) >= NARROW * layer.groups
    return wide and window.kernel == (3, 3) and window.stride == window.dilation == (1, 1)


def _tiles(step: Step) -> tuple[float, int]:
    """How often tiles overlap, and their side: that which leaves the fewest multiply-adds. A side
    of `m` takes (m + 2)^2 for m^2 outputs of nine each, and what hangs over the edge is computed
    too."""
    height, width = step.after[1:]
    over = {m: ceil(height / m) * ceil(width / m) * (m + 2) ** 2 / (height * width) for m in TILES}
    side = min(TILES, key=lambda m: over[m])
    return over[side], side
