"""What follows an ONNX operator on a row of pixels: a function that is given what is known and the
node, and makes rows of images of its outputs, or None where it computes more than each pixel.
"""

from __future__ import annotations

from itertools import chain
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper

from buildmatrix.imported.reading import attributes
from buildmatrix.imported.rows import ENDS, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from onnx import NodeProto

    from buildmatrix.imported.rows import Scales

OF_EACH = ("Sigmoid", "Tanh", "Relu", "LeakyRelu", "Clip", "HardSigmoid", "HardSwish", "Gelu")
WITH = ("Add", "Sub", "Mul", "Div")
Rows = list[Row] | None


def _function(scales: Scales, node: NodeProto) -> Rows:
    row, *bounds = scales.rows.get(node.input[0]), *node.input[1:]
    if row is None:
        return None
    return [scales.each(node, node.op_type, row, *bounds, **attributes(node))]


def _reshaped(scales: Scales, node: NodeProto) -> Rows:
    """An image to a row, channels of a row to groups, and back."""
    source, made = node.input[0], scales.sizes[node.output[0]]
    row, size = scales.rows.get(source), scales.sizes.get(source, [])
    if row is None:
        if len(size) != 4 or size[0] != 1 or source in scales.constants:
            return None
        row, size = Row("ncl", ((source,),)), [1, size[1], prod(size[2:])]
        if made == size:
            scales.begun.add(node.output[0])
    if made == size:
        return [row]
    if row.order in ENDS and len(made) == 4:
        return _parted(scales, node, row, made)
    channels, length = len(row.images[0]) * scales.channels(row), scales.pixels(row)
    order = row.order.replace("cg", "gc") if scales.channels(row) == 1 else row.order
    for grouped, sizes in (("ngcl", [1, channels, length]), ("nlgc", [1, length, channels])):
        if order == grouped and made == sizes:
            return [_whole(scales, node, row, grouped.replace("g", ""))]
    return None


def _parted(scales: Scales, node: NodeProto, row: Row, made: list[int]) -> Rows:
    """Groups of the channels of a row."""
    channels, length = scales.channels(row), scales.pixels(row)
    order = {"ncl": "ngcl", "nlc": "nlgc"}[row.order]
    sizes = dict(zip(order, made, strict=True))
    if sizes["l"] != length or sizes["g"] * sizes["c"] != channels or sizes["n"] != 1:
        return None
    each, base = sizes["c"], node.name or node.output[0]
    groups = []
    for place in range(sizes["g"]):
        part = helper.make_node("Slice", [], [], f"{base}/{place}")
        groups.append(_some(scales, part, row, place * each, (place + 1) * each))
    images = zip(*(group.images for group in groups), strict=True)
    return [Row(order, tuple(tuple(chain(*of_scale)) for of_scale in images))]


def _whole(scales: Scales, node: NodeProto, row: Row, order: str) -> Row:
    """All groups' channels one behind the other."""
    if len(row.images[0]) == 1:
        return Row(order, row.images)
    base, channels, images = node.name or node.output[0], scales.channels(row), []
    for scale, group in enumerate(row.images):
        size = [1, channels * len(group), *scales.sizes[group[0]][2:]]
        images.append((scales.add("Concat", group, f"{base}/{scale}", size, axis=1),))
    return Row(order, tuple(images))


def _turned(scales: Scales, node: NodeProto) -> Rows:
    row, order = scales.rows.get(node.input[0]), attributes(node).get("perm")
    if row is None or not order:
        return None
    return [Row("".join(row.order[axis] for axis in order), row.images)]


def _axis(row: Row, node: NodeProto, without: int) -> str:
    """What the axis of a node is."""
    return row.order[attributes(node).get("axis", without)]


def _softmax(scales: Scales, node: NodeProto) -> Rows:
    row, newer = scales.rows.get(node.input[0]), scales.opset >= 13
    if row is None or _axis(row, node, -1 if newer else 1) != "c":
        return None
    if not newer and row.order[-1] != "c":  # all from the axis on counted as one
        return None
    return [scales.each(node, "Softmax", row, axis=1, of_pixels=1)]


def _joined(scales: Scales, node: NodeProto) -> Rows:
    """Rows one behind the other, or the channels of several."""
    rows = [scales.rows[name] for name in node.input if name in scales.rows]
    if len(rows) != len(node.input) or len({row.order for row in rows}) != 1:
        return None
    first, kind = rows[0], _axis(rows[0], node, 0)
    alike = all(len(row.images[0]) == len(first.images[0]) for row in rows)
    counts = [scales.channels(row) for row in rows]
    if kind == "l" and alike and len(set(counts)) == 1:
        return [Row(first.order, tuple(chain(*(row.images for row in rows))))]
    if kind == "c" and all(scales.like(first, row) for row in rows):
        return [scales.each(node, "Concat", *rows, channels=sum(counts), axis=1)]
    return None


def _cut(scales: Scales, node: NodeProto) -> Rows:
    """Slice: some channels of each group."""
    row, how = scales.rows.get(node.input[0]), attributes(node)
    if row is None:
        return None
    parts = [how.get(name) for name in ("starts", "ends", "axes", "steps")]
    for place, name in enumerate(node.input[1:]):
        parts[place] = scales.number(name) if name else None
    starts, ends, axes, steps = (None if one is None else [int(n) for n in one] for one in parts)
    if starts is None or ends is None or axes is None or len(axes) != 1 or steps not in (None, [1]):
        return None
    if row.order[axes[0]] != "c":
        return None
    first, end, _ = slice(starts[0], ends[0]).indices(scales.channels(row))
    return [_some(scales, node, row, first, end)]


def _some(scales: Scales, node: NodeProto, row: Row, first: int, end: int) -> Row:
    return scales.each(
        node, "Slice", row, channels=end - first, starts=[first], ends=[end], axes=[1]
    )


def _split(scales: Scales, node: NodeProto) -> Rows:
    row = scales.rows.get(node.input[0])
    if row is None or _axis(row, node, 0) != "c":
        return None
    first, found, place = 0, [], row.order.index("c")
    for number, output in enumerate(node.output):
        end = first + scales.sizes[output][place]
        part = helper.make_node("Slice", [], [output], f"{node.name or output}/{number}")
        found.append(_some(scales, part, row, first, end))
        first = end
    return found


def _mixed(scales: Scales, node: NodeProto) -> Rows:
    """Conv of single pixels, or MatMul with a matrix: another number of channels."""
    row, weight = scales.rows.get(node.input[0]), scales.number(node.input[1])
    if row is None or weight is None:
        return None
    how, place = attributes(node), 1 if node.op_type == "Conv" else -1
    if row.order[place] != "c":
        return None
    if node.op_type == "Conv":
        plain = (
            prod(weight.shape[2:]) == 1
            and how.get("group", 1) == 1
            and not any(how.get("pads", ()))
        )
        if not plain or prod(how.get("strides", ())) != 1:
            return None
        names = [*node.input[1:]]
    elif weight.ndim in (1, 2):
        weight = weight.reshape(len(weight), -1).T[:, :, None, None]
        names = [scales.constant(f"{node.output[0]}/weight", np.ascontiguousarray(weight))]
    else:
        return None
    made = scales.each(node, "Conv", row, *names, channels=len(weight))
    if len(scales.sizes[node.output[0]]) == len(row.order):
        return [made]
    # A vector leaves no axis of channels: the groups, of one channel each, are channels then.
    return [_whole(scales, node, made, made.order.replace("c", "").replace("g", "c"))]


def _arithmetic(scales: Scales, node: NodeProto) -> Rows:
    """Of two rows, or of a row and a constant, which has a part for each image."""
    rows = [scales.rows.get(name) for name in node.input]
    numbers = [scales.number(name) for name in node.input]
    row = rows[0] or rows[1]
    if row is None or scales.sizes[node.output[0]] != _size(scales, row):
        return None
    given: list[Row | list[list[str]]] = []
    for one, number in zip(rows, numbers, strict=True):
        if (
            one is not None
            and scales.like(one, row)
            and scales.channels(one) == scales.channels(row)
        ):
            given.append(one)
        elif number is not None and number.ndim <= len(row.order):
            given.append(_parts(scales, node, row, number))
        else:
            return None
    return [scales.each(node, node.op_type, *given)]


def _size(scales: Scales, row: Row) -> list[int]:
    groups, channels = len(row.images[0]), scales.channels(row)
    sizes = {"n": 1, "g": groups, "c": channels, "l": scales.pixels(row)}
    return [sizes[axis] for axis in row.order]


def _parts(scales: Scales, node: NodeProto, row: Row, number: Any) -> list[list[str]]:
    """Names of the constants for each image: one number for each channel where it has no other."""
    whole = np.broadcast_to(number, _size(scales, row))
    whole = whole.transpose([row.order.index(axis) for axis in "ngcl" if axis in row.order])
    whole = whole.reshape(len(row.images[0]), scales.channels(row), -1)
    found, at = [], 0
    for scale, (height, width) in enumerate(scales.areas(row)):
        names = []
        for place, group in enumerate(whole[:, :, at : at + height * width]):
            part = group if (group != group[:, :1]).any() else group[:, :1]
            sides = (height, width) if part.shape[1] > 1 else (1, 1)
            values = np.ascontiguousarray(part).reshape(1, -1, *sides)
            names.append(scales.constant(f"{node.output[0]}/{scale}/{place}/number", values))
        found.append(names)
        at += height * width
    return found


FOLLOWED: Mapping[str, Callable[[Scales, NodeProto], Rows]] = {
    **dict.fromkeys(OF_EACH, _function),
    **dict.fromkeys(WITH, _arithmetic),
    **dict.fromkeys(("Conv", "MatMul"), _mixed),
    "Reshape": _reshaped,
    "Transpose": _turned,
    "Softmax": _softmax,
    "Concat": _joined,
    "Slice": _cut,
    "Split": _split,
}
