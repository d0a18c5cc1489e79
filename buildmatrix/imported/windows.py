"""Pooling, and the pads and sizes of windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from buildmatrix.imported.reading import attributes
from buildmatrix.layers import PadSpec, PoolSpec

if TYPE_CHECKING:
    from onnx import NodeProto

    from buildmatrix.imported.reading import Attributes, Reading


def pool(reading: Reading, node: NodeProto) -> None:
    how = attributes(node)
    if short(pair(how.get("dilations"))) != 1 or len(node.output) > 1:
        raise reading.lacks(node, "a dilation, or the places of the largest,")
    kernel, stride = pair(how["kernel_shape"]), pair(how.get("strides"))
    before, after = reading.shape(node.input[0]), reading.shape(node.output[0])
    top, left, *ends = pads_of(reading, node, how, kernel)
    # How sizes are rounded is said by the pads: as many as the last window needs.
    exact = tuple(
        (places - 1) * step + size - start - length
        for places, step, size, start, length in zip(
            after[1:], stride, kernel, (top, left), before[1:], strict=True
        )
    )
    counted = bool(how.get("count_include_pad"))
    if counted and any(e > end for e, end in zip(exact, ends, strict=True)):
        raise reading.lacks(node, "an average that counts some of what is added and not the rest")
    _add_pool(reading, node, kernel, stride, (top, left, *exact), counted=counted)


def global_pool(reading: Reading, node: NodeProto) -> None:
    _, *kernel = reading.shape(node.input[0])
    _add_pool(reading, node, kernel, (1, 1), (0, 0, 0, 0))


def reduced(reading: Reading, node: NodeProto) -> None:
    """A mean or a largest over the whole height and width."""
    sizes = reading.size(node.input[0])
    axes = attributes(node).get("axes")
    if axes is None and len(node.input) > 1:
        axes = reading.constant(node.input[1])
    wanted = set(range(2, len(sizes)))
    if axes is None or {int(axis) % len(sizes) for axis in axes} != wanted or not wanted:
        what = "a largest" if node.op_type == "ReduceMax" else "a mean"
        raise reading.lacks(node, f"{what} over other axes than height and width")
    global_pool(reading, node)


def _add_pool(
    reading: Reading, node: NodeProto, kernel: Any, stride: Any, pads: Any, *, counted: bool = False
) -> None:
    largest = node.op_type in ("MaxPool", "GlobalMaxPool", "ReduceMax")
    inputs = reading.read(node, node.input[0])
    if (*kernel, *stride) == (1, 1, 1, 1) and not any(pads):
        # Each value is its own largest and mean. An adaptive pooling becomes that where its image
        # has the size that it makes; XNNPACK takes none such.
        reading.same(node)
        return
    reading.add(
        node,
        PoolSpec,
        inputs=inputs,
        method="max" if largest else "average",
        kernel=short(kernel),
        stride=short(stride),
        pad=short(pads),
        counts_pad=counted and any(pads),
    )


def pads_of(
    reading: Reading, node: NodeProto, how: Attributes, kernel: Any
) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) as written, or as `auto_pad` has it."""
    auto = how.get("auto_pad", b"NOTSET")
    if auto == b"NOTSET":
        pads = how.get("pads") or [0] * 4
        if len(pads) == 2:
            return 0, pads[0], 0, pads[1]
        top, left, bottom, right = pads
        return top, left, bottom, right
    if auto == b"VALID":
        return 0, 0, 0, 0
    steps, spread = pair(how.get("strides")), pair(how.get("dilations"))
    starts, ends = [], []
    for length, size, step, wide in zip(
        reading.shape(node.input[0])[1:], kernel, steps, spread, strict=True
    ):
        total = max((-(-length // step) - 1) * step + (size - 1) * wide + 1 - length, 0)
        few, many = total // 2, total - total // 2
        starts.append(few if auto == b"SAME_UPPER" else many)
        ends.append(many if auto == b"SAME_UPPER" else few)
    return starts[0], starts[1], ends[0], ends[1]


def pad(reading: Reading, node: NodeProto) -> None:
    """What is added around an image: zeros become the pad of the convolutions that read them, and
    anything else is a layer, more channels too."""
    how = attributes(node)
    given = reading.constant(node.input[1]) if len(node.input) > 1 else how.get("pads")
    value = reading.constant(node.input[2]) if len(node.input) > 2 and node.input[2] else None
    filling = how.get("value", 0.0) if value is None else float(np.asarray(value).reshape(-1)[0])
    sizes = reading.size(node.input[0])
    mode = how.get("mode", b"constant").decode()
    if given is None or mode not in ("constant", "edge", "reflect"):
        raise reading.lacks(node, f"padding by the mode {mode}, or as much as is computed,")
    if len(node.input) > 3 and node.input[3]:
        given = _of_axes(reading, node, given, len(sizes))
    if len(given) != 2 * len(sizes) or len(sizes) < 2:
        raise reading.lacks(node, "padding of some axes alone")
    sides = [int(side) for side in given]
    starts, ends = sides[: len(sizes)], sides[len(sizes) :]
    if starts[0] or ends[0] or min(sides) < 0:
        raise reading.lacks(node, "padding of the batch, or cutting,")
    (top, left), (bottom, right) = (0, 0, *starts[2:])[-2:], (0, 0, *ends[2:])[-2:]
    added, channels = (top, left, bottom, right), (starts[1], ends[1])
    readers = [one.op_type for one in reading.readers(node.output[0])]
    zeros = mode == "constant" and not filling
    if zeros and not any(channels) and readers and set(readers) == {"Conv"}:
        reading.padded[node.output[0]] = added
        reading.same(node)
        return
    inputs = reading.read(node, node.input[0])
    how = {"pad": short(added), "channels": channels, "mode": mode, "value": filling}
    reading.add(node, PadSpec, inputs=inputs, **how)


def _of_axes(reading: Reading, node: NodeProto, given: Any, rank: int) -> list[int]:
    """The pads of all axes, where the node names the axes that its pads are of."""
    axes = reading.constant(node.input[3])
    if axes is None:
        raise reading.lacks(node, "padding of axes that are computed")
    places = [int(axis) % rank for axis in axes.reshape(-1)]
    sides = [0] * (2 * rank)
    for number, axis in enumerate(places):
        sides[axis], sides[rank + axis] = int(given[number]), int(given[len(places) + number])
    return sides


def pair(values: Any) -> tuple[int, int]:
    """A pair as written: of a row only the second; 1 where nothing is written."""
    if not values:
        return 1, 1
    return (1, values[0]) if len(values) == 1 else (values[0], values[1])


def short(sizes: Any) -> Any:
    """One number where all are the same, as it is written by hand."""
    return int(sizes[0]) if len(set(sizes)) == 1 else tuple(int(size) for size in sizes)
