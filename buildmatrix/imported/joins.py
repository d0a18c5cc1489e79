"""Operators on two values, or on a value and a constant."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from onnx import helper

from buildmatrix.imported.reading import attributes, floats
from buildmatrix.imported.weights import affine
from buildmatrix.layers import ConcatSpec, JoinSpec, PadSpec, Shape, ShiftSpec, SliceSpec

if TYPE_CHECKING:
    from onnx import NodeProto

    from buildmatrix.imported.reading import Reading


def arithmetic(reading: Reading, node: NodeProto) -> None:
    kind, (one, other) = node.op_type, node.input
    constants = [reading.constant(name) for name in (one, other)]
    if constants[0] is None and constants[1] is None:
        if kind == "Div":
            raise reading.lacks(node, "one value by another")
        if kind == "Sub":
            other = _times(reading, node, other, -1)
        _joined(reading, node, [one, other])
        return
    tensor, number = (other, constants[0]) if constants[1] is None else (one, constants[1])
    assert number is not None
    if kind in ("Add", "Sub") and _of_pixels(reading, tensor, number):
        _shifted(reading, node, tensor, number)
        return
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


def _of_pixels(reading: Reading, tensor: str, number: Any) -> bool:
    """Whether a constant has numbers of its own for the pixels of an image."""
    sides = number.shape[-2:] if number.ndim > 1 else ()
    return (
        len(reading.size(tensor)) == 4
        and prod(sides) > 1
        and (np.broadcast_shapes(number.shape, reading.size(tensor)) == reading.size(tensor))
    )


def _shifted(reading: Reading, node: NodeProto, tensor: str, number: Any) -> None:
    """A sum or a difference of an image and a number for each of its values."""
    if node.op_type == "Sub" and tensor == node.input[1]:
        tensor = _times(reading, node, tensor, -1)
    elif node.op_type == "Sub":
        number = -number
    name = reading.add(node, ShiftSpec, inputs=reading.read(node, tensor))
    whole = np.broadcast_to(number, (1, *reading.shape(node.output[0])))[0]
    reading.weights[name] = (floats(whole), floats(np.zeros(0)))


def _times(reading: Reading, node: NodeProto, tensor: str, factor: int) -> str:
    """The name of a value times a number: of the weights that make it, where they may be."""
    made = f"{node.output[0]}/times/{tensor}"
    sizes = reading.size(tensor)
    ones = np.ones(reading.shape(tensor).channels)
    part = helper.make_node(node.op_type, [tensor], [made], node.name)  # as a fault will name it
    affine(reading, part, tensor, factor * ones, 0 * ones)
    reading.sizes[made] = sizes
    return made


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
    if kind == "add":  # of a value with itself not all stacks make a sum
        counts = Counter(tensors).items()
        tensors = [t if n == 1 else _times(reading, node, t, n) for t, n in counts]
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


def split(reading: Reading, node: NodeProto) -> None:
    """The channels in parts; each part that is read is a layer."""
    rank = len(reading.size(node.input[0]))
    if attributes(node).get("axis", 0) % rank != 1:
        raise reading.lacks(node, "splitting along another axis than the channels'")
    first = 0
    for output in node.output:
        channels = reading.shape(output).channels
        inputs = reading.read(node, node.input[0])
        reading.add(node, SliceSpec, output=output, inputs=inputs, first=first, channels=channels)
        first += channels


def cut(reading: Reading, node: NodeProto) -> None:
    """Slice: some channels after each other, or all that there is."""
    how, size = attributes(node), reading.size(node.input[0])
    parts = [how.get(name) for name in ("starts", "ends", "axes", "steps")]
    for place, name in enumerate(node.input[1:]):
        parts[place] = reading.constant(name) if name else None
    starts, ends, axes, steps = parts
    if starts is None or ends is None or any(int(step) != 1 for step in _some(steps)):
        raise reading.lacks(node, "with steps, or at places that are computed,")
    first = 0
    for number, axis in enumerate(range(len(starts)) if axes is None else axes):
        place, length = int(axis) % len(size), size[int(axis)]
        start, end, _ = slice(int(starts[number]), int(ends[number])).indices(length)
        if place != 1 and (start, end) != (0, length):
            raise reading.lacks(node, "of another axis than the channels'")
        first = start if place == 1 else first
    channels = reading.shape(node.output[0]).channels
    if channels == reading.shape(node.input[0]).channels:
        reading.same(node)
        return
    inputs = reading.read(node, node.input[0])
    reading.add(node, SliceSpec, inputs=inputs, first=first, channels=channels)


def _some(values: Any) -> Any:
    return () if values is None else values


def concat(reading: Reading, node: NodeProto) -> None:
    rank = len(reading.size(node.input[0]))
    if attributes(node)["axis"] % rank != 1:
        raise reading.lacks(node, "concatenation along another axis than the channels'")
    if any(name in reading.constants for name in node.input):
        _filled(reading, node)
        return
    rows = set(node.input) <= reading.rows  # one after the other, so their values are too
    reading.add(node, ConcatSpec, inputs=reading.read(node, *node.input, rows=rows))
    if rows:
        reading.rows.add(node.output[0])


def _filled(reading: Reading, node: NodeProto) -> None:
    """A value with channels of one constant number before or behind it: how TensorFlow's converters
    write a padding of channels."""
    (place, value), *others = [
        (place, name) for place, name in enumerate(node.input) if name not in reading.constants
    ]
    sides = [[reading.constant(name) for name in node.input[:place]]]
    sides.append([reading.constant(name) for name in node.input[place + 1 :]])
    numbers = {float(n) for side in sides for one in side for n in np.unique(cast("Any", one))}
    if others or len(numbers) != 1:
        raise reading.lacks(node, "a constant other than of one number, beside one value,")
    channels = [sum(int(cast("Any", one).shape[1]) for one in side) for side in sides]
    inputs = reading.read(node, value)
    (number,) = numbers
    reading.add(node, PadSpec, inputs=inputs, channels=tuple(channels), value=number)
