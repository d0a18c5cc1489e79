"""Eight bits with scales that are powers of two (Qm.n), as CMSIS-NN's q7 functions take them.

A number q of n decimals stands for q * 2**-n. Weights, biases and values between layers have 8
bits, sums 32: a bias is shifted left to a sum's decimals, a sum right to those of what comes out.
That is the arithmetic of Arm's CIFAR-10 example of 2018 (ARM-software/ML-examples, cmsisnn-cifar10,
nn_quantizer.py 7ffd98c), which chose decimals by accuracy; here what pictures show decides.
"""

from __future__ import annotations

from math import frexp
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from buildmatrix.errors import InputError
from buildmatrix.export import quantize
from buildmatrix.layers import ConvSpec, FcSpec, SoftmaxSpec
from buildmatrix.network import INPUT, steps

if TYPE_CHECKING:
    from buildmatrix.export.quantize import I8
    from buildmatrix.network import NetworkSpec, Step
    from buildmatrix.reference import F32, Parameters

BITS = 7  # beside the sign
SUM = 2**31  # what a sum of 32 bits stays below
SHARES = 7  # decimals of what softmax gives: 127 is all but 1


class Q7Layer(NamedTuple):
    """A layer in numbers. `decimals` are those of what comes out; a layer that has learnt nothing
    has neither weights nor shifts. Weights are shaped as in `network.parameter_shapes`."""

    step: Step
    decimals: int
    weight: I8 | None = None
    bias: I8 | None = None
    bias_shift: int = 0  # to the left
    out_shift: int = 0  # to the right


class Q7Network(NamedTuple):
    """A chain of layers in numbers; `decimals` are those of the input."""

    decimals: int
    layers: tuple[Q7Layer, ...]


def decimals(largest: float) -> int:
    """The most that leave room for a magnitude, as the example counts them: 7 less the power of
    two that is not below it. A value that is that power itself saturates.

    >>> decimals(1.0), decimals(1.01), decimals(0.2), decimals(0.0)
    (7, 6, 9, 7)
    """
    part, power = frexp(largest)
    return BITS - (power - 1 if part == 0.5 else power)


def numbers(values: F32, decimals: int) -> I8:
    """Values as the nearest numbers of so many decimals, saturated."""
    scaled = np.rint(values.astype(np.float64) * 2.0**decimals)
    return np.clip(scaled, -128, 127).astype(np.int8)


def rounding(shift: int) -> int:
    """What is added to a sum before it is shifted right (CMSIS 5.9.0: NN_ROUND).

    >>> rounding(0), rounding(5)
    (0, 16)
    """
    return (1 << shift) >> 1


def quantized(net: NetworkSpec, parameters: tuple[Parameters, ...]) -> Q7Network:
    """A chain of layers in numbers, with decimals from the pictures that it is calibrated on.

    Raises InputError for a layer whose sums may not fit into 32 bits.
    """
    seen = quantize.ranges(net, parameters)
    learnt = {one.layer: one for one in parameters}
    given = now = decimals(seen[INPUT].largest)
    layers = []
    for step in steps(net):
        layer = step.layer
        if isinstance(layer, ConvSpec | FcSpec):
            made = _weighted(step, learnt[layer.name], now, decimals(seen[layer.name].largest))
            _check_sums(net, made)
        else:
            made = Q7Layer(step, SHARES if isinstance(layer, SoftmaxSpec) else now)
        layers.append(made)
        now = made.decimals
    return Q7Network(given, tuple(layers))


def _weighted(step: Step, learnt: Parameters, before: int, wanted: int) -> Q7Layer:
    """`before`: decimals of what it reads; `wanted`: of what comes out, if its sums have them."""
    of_weights = decimals(float(np.abs(learnt.weight).max()))
    of_sums = before + of_weights
    of_biases = min(decimals(float(np.abs(learnt.bias).max())), of_sums)
    after = min(wanted, of_sums)
    return Q7Layer(
        step,
        after,
        numbers(learnt.weight, of_weights),
        numbers(learnt.bias, of_biases),
        bias_shift=of_sums - of_biases,
        out_shift=of_sums - after,
    )


def _check_sums(net: NetworkSpec, made: Q7Layer) -> None:
    """Beyond 32 bits C says nothing of what comes out."""
    assert made.weight is not None
    assert made.bias is not None
    weights = np.abs(made.weight.astype(np.int64)).reshape(len(made.bias), -1).sum(axis=1)
    biases = np.abs(made.bias.astype(object)) * 2**made.bias_shift
    most = (weights * 128 + biases).max() + rounding(made.out_shift)
    if most >= SUM:
        name = made.step.layer.name
        brief = f"sums of layer {name} may need more than 32 bits: its values are far apart"
        hint = "take a stack that computes in floats, or calibrate on other pictures"
        raise InputError(brief, where=net.name, hint=hint)
