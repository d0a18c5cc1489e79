"""Post-training quantization to int8, with ranges seen on pictures: a model's own, or seeded ones.

A number q stands for scale * (q - zero). Weights are symmetric (zero is 0) with a scale for each
output; values between layers are symmetric, or asymmetric, which uses all 256 steps where a ReLU
leaves nothing below zero. This is what TensorFlow Lite specifies (tensorflow/lite: 8-bit
quantization specification) and, symmetric only, what ncnn computes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from buildmatrix import reference
from buildmatrix.imported import calibration
from buildmatrix.network import INPUT, ImportedNetwork, fused, origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from buildmatrix.network import NetworkSpec
    from buildmatrix.reference import F32, F64, Parameters

    I8 = NDArray[np.int8]

PICTURES = 32  # for calibration: 8 of each coarseness


class Range(NamedTuple):
    """Smallest and largest value seen between two layers; zero is always within."""

    low: float
    high: float

    @property
    def largest(self) -> float:
        return max(-self.low, self.high)


class Scale(NamedTuple):
    scale: float
    zero: int = 0


def ranges(net: NetworkSpec, parameters: tuple[Parameters, ...]) -> Mapping[str, Range]:
    """Of the input, and of what comes out of each layer, its ReLU included, by its name."""
    found: dict[str, Range] = {}
    names = (INPUT, *(layer.name for layer in net.layers))
    for picture in _pictures(net):
        values: tuple[NDArray[Any], ...] = (
            picture,
            *reference.outputs(net, parameters, picture),
        )
        for name, one in zip(names, values, strict=True):
            low, high = found.get(name, Range(0.0, 0.0))
            found[name] = Range(min(low, float(one.min())), max(high, float(one.max())))
    rectified = {step.layer.name for step in fused(net) if step.relu}
    return {n: Range(0.0, r.high) if n in rectified else r for n, r in found.items()}


def _pictures(net: NetworkSpec) -> Iterable[F32]:
    """What model.yaml names for calibration, or seeded ones."""
    file = origin(net)
    if isinstance(file, ImportedNetwork) and file.calibration:
        return calibration(file)
    return reference.pictures(net, PICTURES)


def symmetric(seen: Range) -> Scale:
    return Scale(seen.largest / 127 or 1.0)


def asymmetric(seen: Range) -> Scale:
    scale = (seen.high - seen.low) / 255 or 1.0
    return Scale(scale, round(-128 - seen.low / scale))


def weights(values: F32, *, axis: int | None = 0) -> tuple[I8, F64]:
    """Quantized in [-127, 127], and the scales: one for each index of `axis`, or one in all."""
    others = tuple(i for i in range(values.ndim) if i != axis)
    largest = np.abs(values).max(axis=others, keepdims=True).astype(np.float64)
    scales = np.where(largest == 0, 1.0, largest / 127)
    return np.rint(values / scales).astype(np.int8), scales.ravel()


def biases(values: F32, value_scale: float, weight_scales: F64) -> NDArray[np.int32]:
    """In units of the sums that they are added to; the last number for what is beyond it."""
    ends = np.iinfo(np.int32)
    return np.clip(np.rint(values / (value_scale * weight_scales)), ends.min, ends.max).astype(
        np.int32
    )
