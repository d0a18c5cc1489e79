"""The forward pass in whole numbers, bit for bit as CMSIS-NN computes it on a Cortex-M4 and M7.

Source of the arithmetic: CMSIS 5.9.0, CMSIS/NN/Source, the q7 functions where ARM_MATH_DSP is
defined. An average is taken along rows first and then down columns, and each of the two divisions
cuts towards zero; the variant for a Cortex-M0 or M3 divides once, and may differ by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from buildmatrix.export.q7 import numbers, rounding
from buildmatrix.layers import ConvSpec, FcSpec, PoolSpec, ReluSpec, SoftmaxSpec, Window
from buildmatrix.reference import windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from buildmatrix.export.q7 import Q7Layer, Q7Network
    from buildmatrix.export.quantize import I8
    from buildmatrix.reference import F32

    I64 = NDArray[np.int64]

LOWEST = -128


def passed(net: Q7Network, pixels: F32) -> I8:
    """What comes out of the network for one (channels, height, width) image, flat."""
    x: I64 = numbers(pixels, net.decimals).astype(np.int64)
    for one in net.layers:
        x = _computed(one, x)
    return x.astype(np.int8).ravel()


def _computed(one: Q7Layer, x: I64) -> I64:
    match one.step.layer:
        case ConvSpec(window=window):
            return _sums(one, windows(window, x.astype(np.float64), 0.0), ((1, 2, 3), (0, 3, 4)))
        case FcSpec():
            return _sums(one, x.reshape(-1, 1, 1).astype(np.float64), ((1,), (0,)))
        case PoolSpec(method="max", window=window):
            best: I64 = windows(window, x, LOWEST).max(axis=(3, 4))
            return best
        case PoolSpec(window=window):
            return _averages(window, x)
        case ReluSpec():
            return np.maximum(x, 0)
        case SoftmaxSpec():
            return _shares(x)
        case layer:
            raise AssertionError(f"able.check lets no {layer.type} through")


def _sums(one: Q7Layer, seen: NDArray[np.float64], axes: Any) -> I64:
    """Products summed up with the bias, rounded, shifted and saturated. They are computed in
    doubles, which hold every whole number of 32 bits and so every sum on the way."""
    assert one.weight is not None
    assert one.bias is not None
    products = np.tensordot(one.weight.astype(np.float64), seen, axes=axes).astype(np.int64)
    biases = one.bias.astype(np.int64)[:, None, None] << one.bias_shift
    whole = (products + biases + rounding(one.out_shift)) >> one.out_shift
    held: I64 = np.clip(whole, LOWEST, 127)
    return held


def _averages(window: Window, x: I64) -> I64:
    (height, width), (down, along) = window.kernel, window.stride
    _, _, bottom, right = window.pads
    rows = _means(Window((1, width), (1, along), (0, 0, 0, right)), x)
    return _means(Window((height, 1), (down, 1), (0, 0, bottom, 0)), rows)


def _means(window: Window, x: I64) -> I64:
    """Of what is there of each window, cut towards zero."""
    there = windows(window, np.ones_like(x[:1]), 0).sum(axis=(3, 4))
    total = windows(window, x, 0).sum(axis=(3, 4))
    means: I64 = np.sign(total) * (np.abs(total) // there)
    return means


def _shares(x: I64) -> I64:
    """Powers of two in the place of e's (arm_softmax_q7): each step of a number doubles a share.

    The largest number and the one below it count the same in the sum, whose shifts end at 7.
    """
    base = int(x.max()) - 8
    whole = int((1 << np.clip(x - base, 0, 7)).sum())
    shifts = np.clip(13 + base - x, 0, 31)
    shares: I64 = np.minimum(((1 << 20) // whole) >> shifts, 127)
    return shares
