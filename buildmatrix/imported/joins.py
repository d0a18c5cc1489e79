"""Operators on two values, or on a value and a constant."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from buildmatrix.imported.reading import attributes
from buildmatrix.imported.weights import affine
from buildmatrix.layers import ConcatSpec, JoinSpec, Shape

if TYPE_CHECKING:
    from onnx import NodeProto

    from buildmatrix.imported.reading import Reading


def arithmetic(reading: Reading, node: NodeProto) -> None:
    kind, (one, other) = node.op_type, node.input
    constants = [reading.constant(name) for name in (one, other)]
    if constants[0] is None and constants[1] is None:
        if kind not in ("Add", "Mul"):
            raise reading.lacks(node, "one value by another, which is only read of Add and Mul,")
        _joined(reading, node, [one, other])
        return
    tensor, number = (other, constants[0]) if constants[1] is None else (one, constants[1])
    assert number is not None
    spread = _by_channel(reading, node, tensor, number)
    first = constants[0] is not None  # the constant stands before the operator
    match kind:
        case "Add":
            factor, shift = np.ones_like(spread), spread
        case "Mul":
            factor, shift = spread, np.zeros_like(spread)
        case "Sub":
            sign = -1 if first else 1
            factor, shift = np.full_like(spread, sign), -sign * spread
        case _ if first:
            raise reading.lacks(node, "a constant divided by a value")
        case _:
            factor, shift = 1 / spread, np.zeros_like(spread)
    affine(reading, node, tensor, factor, shift)


def _by_channel(reading: Reading, node: NodeProto, tensor: str, number: Any) -> Any:
    """The constant as a number for each channel."""
    sizes = reading.size(tensor)
    padded = (1,) * (len(sizes) - number.ndim) + number.shape
    channels = reading.shape(tensor).channels
    others = [n for axis, n in enumerate(padded) if axis != 1]
    if len(padded) != len(sizes) or set(others) != {1} or padded[1] not in (1, channels):
        shape = "x".join(map(str, number.shape))
        raise reading.lacks(node, f"a constant of {shape}, which is not one for each channel,")
    return np.broadcast_to(np.asarray(number, np.float64).reshape(-1), channels)


def _joined(reading: Reading, node: NodeProto, tensors: list[str]) -> None:
    """Add, Mul or Sum of values, the larger first, as not all stacks take a small one there."""
    kind = "mul" if node.op_type == "Mul" else "add"
    tensors = sorted(tensors, key=lambda t: -prod(reading.shape(t)))
    shapes = [reading.shape(tensor) for tensor in tensors]
    if any(s not in (shapes[0], Shape(shapes[0].channels, 1, 1)) for s in shapes):
        sizes = " and ".join(map(str, shapes))
        raise reading.lacks(node, f"joining {sizes}")
    names = reading.read(node, *tensors)
    last = names[0]
    for name in names[1:]:
        last = reading.add(node, JoinSpec, type=kind, inputs=(last, name))
    reading.values[node.output[0]] = last


def summed(reading: Reading, node: NodeProto) -> None:
    if any(reading.constant(name) is not None for name in node.input):
        raise reading.lacks(node, "a constant input")
    _joined(reading, node, list(node.input))


def concat(reading: Reading, node: NodeProto) -> None:
    rank = len(reading.size(node.input[0]))
    if attributes(node)["axis"] % rank != 1:
        raise reading.lacks(node, "concatenation along another axis than the channels'")
    reading.add(node, ConcatSpec, inputs=reading.read(node, *node.input))
