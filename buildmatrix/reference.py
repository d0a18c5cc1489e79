"""The golden answer: seeded weights and input, and a forward pass in double precision."""

from __future__ import annotations

from math import prod, sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.random import PCG64, SeedSequence
from numpy.typing import ArrayLike, NDArray

from buildmatrix.network import (
    ConvSpec,
    FcSpec,
    NetworkSpec,
    PoolSpec,
    ReluSpec,
    SoftmaxSpec,
    input_shape,
    parameter_shapes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

PICTURES = 1 << 20  # number of the first stream of `pictures`, beyond any layer's
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
    x = pixels.astype(np.float64)
    for layer in net.layers:
        match layer:
            case ConvSpec(name=name):
                x = _convolve(layer, x, learnt[name])
            case FcSpec(name=name):
                weight, bias = learnt[name].weight, learnt[name].bias
                x = (weight.astype(np.float64) @ x.ravel() + bias).reshape(-1, 1, 1)
            case PoolSpec(method=method, kernel=kernel, stride=stride):
                windows = _windows(x, kernel, stride)
                x = windows.max(axis=(3, 4)) if method == "max" else windows.mean(axis=(3, 4))
            case ReluSpec():
                x = np.maximum(x, 0)
            case SoftmaxSpec():
                powers = np.exp(x - x.max(axis=0))
                x = powers / powers.sum(axis=0)
        yield x


def _convolve(layer: ConvSpec, x: F64, learnt: Parameters) -> F64:
    """Cross-correlation, as every stack computes what it calls convolution."""
    sides = (layer.pad, layer.pad)
    windows = _windows(np.pad(x, ((0, 0), sides, sides)), layer.kernel, layer.stride)
    weight = learnt.weight.astype(np.float64)
    if layer.groups == 1:
        summed = np.tensordot(weight, windows, axes=((1, 2, 3), (0, 3, 4)))
    else:  # depthwise: some outputs of each channel
        weight = weight.reshape(layer.groups, -1, *weight.shape[2:])
        summed = np.einsum("cokl,cyxkl->coyx", weight, windows)
        summed = summed.reshape(layer.outputs, *windows.shape[1:3])
    return summed + learnt.bias[:, None, None]


def _windows(x: F64, kernel: int, stride: int) -> F64:
    """What the kernel sees at each place: (channels, height, width, kernel, kernel)."""
    return sliding_window_view(x, (kernel, kernel), axis=(1, 2))[:, ::stride, ::stride]


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
    return float((np.abs(got - want) / scale).max())
