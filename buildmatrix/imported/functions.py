"""Functions of each value, or of each pixel."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from buildmatrix.imported.reading import attributes, floats
from buildmatrix.imported.weights import affine
from buildmatrix.layers import (
    ActivationSpec,
    ClipSpec,
    LeakyReluSpec,
    LrnSpec,
    PReluSpec,
    ReluSpec,
    SoftmaxSpec,
)

if TYPE_CHECKING:
    from onnx import NodeProto

    from buildmatrix.imported.reading import Reading

ENDLESS = 3e38  # a bound beyond it bounds nothing in float32


def relu(reading: Reading, node: NodeProto) -> None:
    reading.add(node, ReluSpec, inputs=reading.each(node, node.input[0]))


def clip(reading: Reading, node: NodeProto) -> None:
    how = attributes(node)
    bounds = [how.get("min"), how.get("max")]
    for place, name in enumerate(node.input[1:3]):
        value = reading.constant(name) if name else None
        if name and value is None:
            raise reading.lacks(node, "a bound that is computed")
        bounds[place] = None if value is None else float(np.asarray(value).reshape(-1)[0])
    low = -ENDLESS if bounds[0] is None else bounds[0]
    high = ENDLESS if bounds[1] is None else bounds[1]
    if low == 0 and high >= ENDLESS:
        relu(reading, node)
        return
    if low <= -ENDLESS and high >= ENDLESS:
        reading.same(node)
        return
    inputs = reading.each(node, node.input[0])
    reading.add(node, ClipSpec, inputs=inputs, low=float(low), high=float(high))


def bounded(reading: Reading, node: NodeProto) -> None:
    """Min or Max of a value and a constant number: clipped on one side."""
    numbers = [reading.constant(name) for name in node.input]
    given = [one for one in numbers if one is not None]
    if len(numbers) != 2 or len(given) != 1 or given[0].size != 1:
        raise reading.lacks(node, "other than of a value and one number")
    tensor = node.input[0 if numbers[0] is None else 1]
    bound = float(given[0].reshape(-1)[0])
    low, high = (bound, ENDLESS) if node.op_type == "Max" else (-ENDLESS, bound)
    inputs = reading.each(node, tensor)
    if node.op_type == "Max" and bound == 0:
        reading.add(node, ReluSpec, inputs=inputs)
        return
    reading.add(node, ClipSpec, inputs=inputs, low=low, high=high)


def leaky(reading: Reading, node: NodeProto) -> None:
    slopes: Any = np.array(attributes(node).get("alpha", 0.01), np.float32)
    channels = reading.shape(node.input[0]).channels
    if node.op_type == "PRelu":
        slopes = reading.constant(node.input[1])
        rank = len(reading.size(node.input[0]))
        if slopes is None or slopes.ndim > rank or slopes.size not in (1, channels):
            raise reading.lacks(node, "slopes other than one for each channel")
        shape = (1,) * (rank - slopes.ndim) + slopes.shape
        if slopes.size > 1 and shape[1] != channels:
            raise reading.lacks(node, "slopes along another axis than the channels'")
    first, *others = np.broadcast_to(slopes.reshape(-1), channels).tolist()
    inputs = reading.read(node, node.input[0])
    if first > 0 and set(others) <= {first}:
        reading.add(node, LeakyReluSpec, inputs=inputs, slope=float(first))
        return
    name = reading.add(node, PReluSpec, inputs=inputs)
    reading.weights[name] = (floats(np.array([first, *others])), floats(np.zeros(0)))


def activation(reading: Reading, node: NodeProto) -> None:
    kind = {"HardSwish": "hard-swish"}.get(node.op_type, node.op_type.lower())
    if (how := attributes(node).get("approximate", b"none")) != b"none":
        raise reading.lacks(node, f"the approximation {how.decode()}")
    inputs = reading.each(node, node.input[0])
    reading.add(node, ActivationSpec, type=kind, inputs=inputs)


def hard_sigmoid(reading: Reading, node: NodeProto) -> None:
    """Of any slope: the input is stretched so that ours, of slope 1/6, gives the same."""
    how = attributes(node)
    slope, middle = how.get("alpha", 0.2), how.get("beta", 0.5)
    inputs = reading.read(node, node.input[0])
    if abs(slope - 1 / 6) > 1e-6 or abs(middle - 0.5) > 1e-6:
        affine(reading, node, node.input[0], 6 * slope, 6 * (middle - 0.5))
        inputs = (reading.values[node.output[0]],)
    reading.add(node, ActivationSpec, type="hard-sigmoid", inputs=inputs)


def softmax(reading: Reading, node: NodeProto) -> None:
    sizes, turned = reading.size(node.input[0]), node.input[0] in reading.turned
    how = attributes(node)
    newer = reading.opset >= 13 or bool(how.get("of_pixels"))  # as `row_operators` writes it
    axis = how.get("axis", -1 if newer else 1) % len(sizes)
    # Before operator set 13, all from the axis on counted as one.
    channels = len(sizes) - 1 if turned else 1
    if axis != channels or (not newer and prod(sizes[axis + 1 :]) != 1):
        raise reading.lacks(node, "softmax over another axis than the channels'")
    names = reading.each(node, node.input[0]) if turned else reading.read(node, node.input[0])
    made = reading.add(node, SoftmaxSpec, inputs=names)
    if node.op_type == "LogSoftmax":
        reading.add(node, ActivationSpec, type="log", inputs=(made,))


def lrn(reading: Reading, node: NodeProto) -> None:
    how = attributes(node)
    reading.add(
        node,
        LrnSpec,
        inputs=reading.read(node, node.input[0]),
        size=how["size"],
        alpha=how.get("alpha", 1e-4),
        beta=how.get("beta", 0.75),
        bias=how.get("bias", 1.0),
    )
