"""The golden answer: seeded weights and input, and a forward pass in double precision."""

from __future__ import annotations

from math import erf, prod, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.random import PCG64, SeedSequence
from numpy.typing import ArrayLike, NDArray

from buildmatrix.layers import (
    ActivationSpec,
    ClipSpec,
    ConcatSpec,
    ConvSpec,
    DeconvSpec,
    DepthToSpaceSpec,
    FcSpec,
    FlattenSpec,
    JoinSpec,
    LeakyReluSpec,
    LrnSpec,
    PadSpec,
    PoolSpec,
    PReluSpec,
    ReluSpec,
    ShiftSpec,
    ShuffleSpec,
    SliceSpec,
    SoftmaxSpec,
    UpsampleSpec,
)
from buildmatrix.network import INPUT, NetworkSpec, input_shape, parameter_shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from buildmatrix.layers import Layer, Window

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

PICTURES = 1 << 20  # number of the first stream of `pictures`, beyond any layer's
PIECE = 1 << 16  # numbers that are looked at in one go, in a processor's cache
SMALLEST_NORMAL = np.finfo(np.float32).tiny
BIAS = 0.1  # biases lie in [-BIAS, BIAS): a stack that drops them is found out


class Parameters(NamedTuple):
    """What one layer has learnt. `weight` is shaped as in `network.parameter_shapes`."""

    layer: str
    weight: F32
    bias: F32


def weights(net: NetworkSpec) -> tuple[Parameters, ...]:
    """Seeded weights in layer order, uniform with He's variance, 2 / inputs, times gain.

    So scaled, signals neither die nor grow on the way and the softmax does not saturate.
    """
    found = []
    for stream, (name, shape, biases) in enumerate(parameter_shapes(net), start=1):
        values = 2 * _uniform(net.seed, stream, prod(shape) + biases) - 1
        split = prod(shape)
        limit = net.gain * sqrt(6 / prod(shape[1:]))
        weight = (limit * values[:split]).astype(np.float32).reshape(shape)
        found.append(Parameters(name, weight, (BIAS * values[split:]).astype(np.float32)))
    return tuple(found)


def image(net: NetworkSpec) -> F32:
    """The seeded input, (channels, height, width) in [0, 1]."""
    shape = input_shape(net)
    return _uniform(net.seed, 0, prod(shape)).astype(np.float32).reshape(shape)


def _uniform(seed: int, stream: int, count: int) -> F64:
    """`count` doubles in [0, 1), the same on every machine and numpy.

    Taken from the raw integers, because NumPy promises those of a bit generator for good and
    those of `Generator`'s distributions not (NEP 19).
    """
    raw = PCG64(SeedSequence((seed, stream))).random_raw(count)
    return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53


def pictures(net: NetworkSpec, count: int, *, first: int = 0) -> tuple[F32, ...]:
    """Other seeded inputs, from number `first` on: noise in squares of 1, 2, 4 and 8 pixels, so
    that layers see fine and coarse ones. Each is shaped as `image`."""
    shape = input_shape(net)
    found = []
    for number in range(first, first + count):
        side = 2 ** (number % 4)
        small = (shape.channels, -(-shape.height // side), -(-shape.width // side))
        values = _uniform(net.seed, PICTURES + number, prod(small)).reshape(small)
        large = values.repeat(side, axis=1).repeat(side, axis=2)
        found.append(large[:, : shape.height, : shape.width].astype(np.float32))
    return tuple(found)


def forward(net: NetworkSpec, parameters: tuple[Parameters, ...], pixels: F32) -> F64:
    """The network's output for one (channels, height, width) image, computed in float64."""
    *_, last = outputs(net, parameters, pixels)
    return last.ravel()


def outputs(net: NetworkSpec, parameters: tuple[Parameters, ...], pixels: F32) -> Iterator[F64]:
    """What comes out of each layer in turn."""
    learnt = {p.layer: p for p in parameters}
    last_reader = {name: layer.name for layer in net.layers for name in layer.inputs}
    values = {INPUT: pixels.astype(np.float64)}
    last = INPUT
    for layer in net.layers:
        reads = layer.inputs or (last,)
        x = _computed(layer, [values[name] for name in reads], learnt)
        yield x
        # What nobody reads any more is let go: a deep network's values are large together.
        for name in (last, *reads):
            if last_reader.get(name, layer.name) == layer.name:
                values.pop(name, None)
        last = layer.name
        values[last] = x


def _computed(layer: Layer, inputs: list[F64], learnt: Mapping[str, Parameters]) -> F64:
    x = inputs[0]
    match layer:
        case ConvSpec() | DeconvSpec() | FcSpec() | PReluSpec() | ShiftSpec():
            return _weighted(layer, x, learnt[layer.name])
        case PoolSpec():
            return _pool(layer, x)
        case LrnSpec():
            return _normalize(layer, x)
        case JoinSpec() | ConcatSpec():
            return _joined(layer, inputs)
        case FlattenSpec() | UpsampleSpec() | SliceSpec() | PadSpec():
            return _formed(layer, x)
        case ShuffleSpec() | DepthToSpaceSpec():
            return _reordered(layer, x)
        case SoftmaxSpec() | ReluSpec() | ClipSpec() | LeakyReluSpec() | ActivationSpec():
            return _activate(layer, x)


def _weighted(
    layer: ConvSpec | DeconvSpec | FcSpec | PReluSpec | ShiftSpec, x: F64, learnt: Parameters
) -> F64:
    match layer:
        case ConvSpec():
            return _convolve(layer, x, learnt)
        case DeconvSpec():
            return _spread(layer, x, learnt)
        case PReluSpec():
            return np.where(x < 0, learnt.weight[:, None, None] * x, x)
        case ShiftSpec():
            return x + learnt.weight
        case FcSpec():
            weight = learnt.weight.astype(np.float64)
            full: F64 = (weight @ x.ravel() + learnt.bias).reshape(-1, 1, 1)
            return full


def _joined(layer: JoinSpec | ConcatSpec, inputs: list[F64]) -> F64:
    if isinstance(layer, ConcatSpec):
        return np.concatenate(inputs)
    one, other = inputs
    return one + other if layer.type == "add" else one * other


def _reordered(layer: ShuffleSpec | DepthToSpaceSpec, x: F64) -> F64:
    match layer:
        case ShuffleSpec(groups=groups):
            return x.reshape(groups, -1, *x.shape[1:]).swapaxes(0, 1).reshape(x.shape)
        case DepthToSpaceSpec(block=block):
            channels, (height, width) = len(x) // block**2, x.shape[1:]
            parts = x.reshape(block, block, channels, height, width).transpose(2, 3, 0, 4, 1)
            return parts.reshape(channels, height * block, width * block)


def _formed(layer: FlattenSpec | UpsampleSpec | SliceSpec | PadSpec, x: F64) -> F64:
    match layer:
        case FlattenSpec():
            return x.reshape(-1, 1, 1)
        case UpsampleSpec(factor=factor, mode="nearest"):
            return x.repeat(factor, axis=1).repeat(factor, axis=2)
        case UpsampleSpec(factor=factor):
            rows, columns = (_between(size, factor) for size in x.shape[1:])
            between: F64 = rows @ x @ columns.T
            return between
        case SliceSpec(first=first, channels=channels):
            return x[first : first + channels]
        case PadSpec(mode=mode, value=value):
            top, left, bottom, right = layer.sides
            sides = (layer.channels, (top, bottom), (left, right))
            if mode == "constant":
                return np.pad(x, sides, constant_values=value)
            return np.pad(x, sides, mode=mode)


def _between(size: int, factor: int) -> F64:
    """(factor * size, size): the shares of what lies on both sides of each new pixel's middle."""
    places = np.clip((np.arange(factor * size) + 0.5) / factor - 0.5, 0, size - 1)
    distance: F64 = np.abs(places[:, None] - np.arange(size))
    return np.maximum(1 - distance, 0)


def _spread(layer: DeconvSpec, x: F64, learnt: Parameters) -> F64:
    """The transposed convolution: what each value adds at each place of its window."""
    (height, width), (down, along) = layer.window.kernel, layer.window.stride
    top, left, bottom, right = layer.window.pads
    rows, columns = x.shape[1:]
    size = ((rows - 1) * down + height, (columns - 1) * along + width)
    summed = np.zeros((layer.outputs, *size))
    weight = learnt.weight.astype(np.float64)
    parts = list(zip(np.split(weight, layer.groups), np.split(x, layer.groups), strict=True))
    for row in range(height):
        for column in range(width):
            added = [np.tensordot(w[:, :, row, column], v, axes=((0,), (0,))) for w, v in parts]
            summed[
                :,
                row : row + (rows - 1) * down + 1 : down,
                column : column + (columns - 1) * along + 1 : along,
            ] += np.concatenate(added)
    cut = summed[:, top : size[0] - bottom, left : size[1] - right]
    return cut + learnt.bias[:, None, None]


def _activate(
    layer: SoftmaxSpec | ReluSpec | ClipSpec | LeakyReluSpec | ActivationSpec, x: F64
) -> F64:
    match layer:
        case SoftmaxSpec():
            powers = np.exp(x - x.max(axis=0))
            shares: F64 = powers / powers.sum(axis=0)
            return shares
        case ReluSpec():
            return np.maximum(x, 0)
        case ClipSpec(low=low, high=high):
            return np.clip(x, low, high)
        case LeakyReluSpec(slope=slope):
            return np.where(x < 0, slope * x, x)
        case ActivationSpec(type=kind):
            functions: dict[str, Callable[[F64], F64]] = {
                "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
                "tanh": np.tanh,
                "hard-sigmoid": lambda v: np.clip(v / 6 + 0.5, 0, 1),
                "hard-swish": lambda v: v * np.clip(v / 6 + 0.5, 0, 1),
                "log": np.log,
                "gelu": lambda v: v * (0.5 + 0.5 * np.vectorize(erf, [np.float64])(v / sqrt(2))),
            }
            with np.errstate(divide="ignore", invalid="ignore"):  # of zero, and of less
                return functions[kind](x)


WINDOWS = 2**25  # numbers of float64 that a convolution's windows may take at a time


def _convolve(layer: ConvSpec, x: F64, learnt: Parameters) -> F64:
    """Cross-correlation, as every stack computes what it calls convolution."""
    seen = windows(layer.window, x, 0.0)
    weight = learnt.weight.astype(np.float64)
    if layer.groups == 1:
        # NumPy writes all windows down: so many rows at a time as fit into a quarter of a gigabyte.
        rows = max(1, WINDOWS // max(seen[:, :1].size, 1))
        slabs = [seen[:, top : top + rows] for top in range(0, seen.shape[1], rows)]
        summed = np.concatenate(
            [np.tensordot(weight, slab, axes=((1, 2, 3), (0, 3, 4))) for slab in slabs], axis=1
        )
    elif layer.groups == len(x):  # depthwise: some outputs of each channel
        weight = weight.reshape(layer.groups, -1, *weight.shape[2:])
        summed = np.einsum("cokl,cyxkl->coyx", weight, seen)
        summed = summed.reshape(layer.outputs, *seen.shape[1:3])
    else:
        parts = zip(np.split(weight, layer.groups), np.split(seen, layer.groups), strict=True)
        summed = np.concatenate(
            [np.tensordot(w, part, axes=((1, 2, 3), (0, 3, 4))) for w, part in parts]
        )
    return summed + learnt.bias[:, None, None]


def _pool(layer: PoolSpec, x: F64) -> F64:
    if layer.method == "max":
        best: F64 = windows(layer.window, x, -np.inf).max(axis=(3, 4))
        return best
    seen = windows(layer.window, x, 0.0)
    if layer.counts_pad or not any(layer.window.pads):
        mean: F64 = seen.mean(axis=(3, 4))
        return mean
    there = windows(layer.window, np.ones_like(x[:1]), 0.0).sum(axis=(3, 4))
    shares: F64 = seen.sum(axis=(3, 4)) / there
    return shares


def _normalize(layer: LrnSpec, x: F64) -> F64:
    before = (layer.size - 1) // 2
    squares = np.pad(x**2, ((before, layer.size - 1 - before), (0, 0), (0, 0)))
    sums = sliding_window_view(squares, layer.size, axis=0).sum(axis=-1)
    normal: F64 = x / (layer.bias + layer.alpha / layer.size * sums) ** layer.beta
    return normal


def windows(window: Window, x: NDArray[Any], filling: float) -> NDArray[Any]:
    """What the kernel sees at each place: (channels, height, width, kernel, kernel)."""
    top, left, bottom, right = window.pads
    grown = np.pad(
        x,
        ((0, 0), (top, max(bottom, 0)), (left, max(right, 0))),
        constant_values=filling,
    )
    height, width = grown.shape[1] + min(bottom, 0), grown.shape[2] + min(right, 0)
    seen = sliding_window_view(grown[:, :height, :width], window.reach, axis=(1, 2))
    down, along = window.stride
    rows, columns = window.dilation
    return seen[:, ::down, ::along, ::rows, ::columns]


def denormals(parameters: Iterable[Parameters]) -> int:
    """How many weights and biases are denormal in float32: not zero, and closer to it than 2^-126.

    NEON of 32 bits computes with zero for each; other units may take many times as long.
    """
    parts = (part.ravel() for one in parameters for part in (one.weight, one.bias))
    pieces = (part[at : at + PIECE] for part in parts for at in range(0, part.size, PIECE))
    return sum(
        int(np.count_nonzero((np.abs(piece) < SMALLEST_NORMAL) & (piece != 0))) for piece in pieces
    )


def max_relative_error(output: ArrayLike, expected: ArrayLike) -> float:
    """Largest |output - expected| / |expected| over all values.

    Expected values below a thousandth of the largest count as that thousandth: how exact a
    vanishing probability is says nothing. Infinite when the sizes differ or a value is not
    finite (None, as the harness writes such a value, included).
    """
    got = np.asarray(output, dtype=np.float64).ravel()
    want = np.asarray(expected, dtype=np.float64).ravel()
    if got.shape != want.shape or not want.size or not np.isfinite(got).all():
        return float("inf")
    largest = np.abs(want).max()
    scale = np.maximum(np.abs(want), largest / 1000 or largest)  # a thousandth of 5e-324 is none
    if not scale.all():  # everything expected is zero
        return 0.0 if np.array_equal(got, want) else float("inf")
    with np.errstate(over="ignore"):  # beside 2e-311 an answer of 1 is infinitely wrong
        return float((np.abs(got - want) / scale).max())
