"""What each ONNX operator is as a layer: one function for each, given the graph and the node.

Source of attributes, defaults and shapes: onnx/onnx, docs/Operators.md and docs/Changelog.md.
A setting that no layer of ours has is an error with the node's name.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from buildmatrix.imported.reading import FLOAT, Reading, attributes, called, floats
from buildmatrix.layers import (
    ActivationSpec,
    ClipSpec,
    ConcatSpec,
    ConvSpec,
    FcSpec,
    FlattenSpec,
    JoinSpec,
    LeakyReluSpec,
    LrnSpec,
    PoolSpec,
    ReluSpec,
    Shape,
    SoftmaxSpec,
    UpsampleSpec,
)
from buildmatrix.network import INPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from onnx import NodeProto

    from buildmatrix.errors import InputError
    from buildmatrix.imported.reading import Attributes

ENDLESS = 3e38  # a bound beyond it bounds nothing in float32


def _lacks(reading: Reading, node: NodeProto, what: str) -> InputError:
    return reading.fault(f"{what} of node {called(node)} is not read")


# -- layers with weights --------------------------------------------------------------------------


def _conv(reading: Reading, node: NodeProto) -> None:
    how = attributes(node)
    weight = reading.constant(node.input[1])
    if weight is None or weight.ndim not in (3, 4):
        raise _lacks(reading, node, "a weight that is computed, or of other than 3 or 4 sizes,")
    bias = np.zeros(len(weight))
    if len(node.input) > 2 and node.input[2]:
        given = reading.constant(node.input[2])
        if given is None:
            raise _lacks(reading, node, "a bias that is computed")
        bias = given
    if weight.ndim == 3:  # along one direction: a row of pixels
        weight = weight[:, :, None, :]
    kernel = weight.shape[2:]
    stride, dilation = _two(how.get("strides")), _two(how.get("dilations"))
    added = reading.padded.get(node.input[0], (0, 0, 0, 0))
    pads = [a + b for a, b in zip(_pads(reading, node, how, kernel), added, strict=True)]
    name = reading.add(
        node,
        ConvSpec,
        inputs=reading.read(node, node.input[0], padded=True),
        outputs=len(weight),
        kernel=_short(kernel),
        stride=_short(stride),
        pad=_short(pads),
        groups=how.get("group", 1),
        dilation=_short(dilation),
    )
    reading.weights[name] = (floats(weight), floats(bias))


def _gemm(reading: Reading, node: NodeProto) -> None:
    how = attributes(node)
    weight = reading.constant(node.input[1])
    if weight is None or how.get("transA") or weight.ndim != 2:
        raise _lacks(reading, node, "a weight that is computed, or a transposed input,")
    weight = weight if how.get("transB") else weight.T
    bias = np.zeros(len(weight))
    if len(node.input) > 2 and node.input[2]:
        given = reading.constant(node.input[2])
        if given is None or given.size not in (1, len(weight)):
            raise _lacks(reading, node, "a bias that is computed, or of another size,")
        bias = np.broadcast_to(given.reshape(-1) * how.get("beta", 1.0), len(weight))
    _full(reading, node, weight * np.float32(how.get("alpha", 1.0)), bias)


def _matmul(reading: Reading, node: NodeProto) -> None:
    weight = reading.constant(node.input[1])
    sizes = reading.size(node.input[0])
    if weight is None or weight.ndim != 2 or prod(sizes[:-1]) != 1:
        raise _lacks(reading, node, "a product other than of one row and a constant matrix")
    _full(reading, node, weight.T, np.zeros(weight.shape[1]))


def _full(reading: Reading, node: NodeProto, weight: Any, bias: Any) -> None:
    inputs = reading.read(node, node.input[0], turned=True)
    if size := reading.turned.get(node.input[0]):  # its columns are in the order of what it reads
        channels, height, width = size
        columns = weight.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
        weight = columns.reshape(len(weight), -1)
    name = reading.add(node, FcSpec, inputs=inputs, outputs=len(weight))
    reading.weights[name] = (floats(weight), floats(bias))


def _batch_norm(reading: Reading, node: NodeProto) -> None:
    numbers = [reading.constant(name) for name in node.input[1:5]]
    if any(one is None for one in numbers) or attributes(node).get("training_mode"):
        raise _lacks(reading, node, "normalization with statistics of the batch")
    scale, shift, mean, variance = (np.asarray(one, np.float64) for one in numbers)
    factor = scale / np.sqrt(variance + attributes(node).get("epsilon", 1e-5))
    _affine(reading, node, node.input[0], factor, shift - mean * factor)


def _affine(
    reading: Reading, node: NodeProto, tensor: str, factor: Any, shift: Any, *, named: bool = True
) -> None:
    """Each channel times a number, plus one: part of the layer before it where nobody else reads
    that, and otherwise a 1x1 depthwise convolution."""
    (before,) = reading.read(node, tensor)
    channels = reading.shape(tensor).channels
    factor, shift = (np.broadcast_to(np.asarray(v, np.float64), channels) for v in (factor, shift))
    if before in reading.weights and reading.uses[tensor] == 1 and named:
        weight, bias = reading.weights[before]
        across = factor.reshape(-1, *[1] * (weight.ndim - 1))
        reading.weights[before] = (floats(weight * across), floats(bias * factor + shift))
        reading.values[node.output[0]] = before
        return
    name = reading.add(
        node, ConvSpec, inputs=(before,), outputs=channels, kernel=1, groups=channels
    )
    reading.weights[name] = (floats(factor.reshape(-1, 1, 1, 1)), floats(shift))


# -- two values, or a value and a constant --------------------------------------------------------


def _arithmetic(reading: Reading, node: NodeProto) -> None:
    kind, (one, other) = node.op_type, node.input
    constants = [reading.constant(name) for name in (one, other)]
    if constants[0] is None and constants[1] is None:
        if kind not in ("Add", "Mul"):
            raise _lacks(reading, node, "one value by another, which is only read of Add and Mul,")
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
            raise _lacks(reading, node, "a constant divided by a value")
        case _:
            factor, shift = 1 / spread, np.zeros_like(spread)
    _affine(reading, node, tensor, factor, shift)


def _by_channel(reading: Reading, node: NodeProto, tensor: str, number: Any) -> Any:
    """The constant as a number for each channel."""
    sizes = reading.size(tensor)
    padded = (1,) * (len(sizes) - number.ndim) + number.shape
    channels = reading.shape(tensor).channels
    others = [n for axis, n in enumerate(padded) if axis != 1]
    if len(padded) != len(sizes) or set(others) != {1} or padded[1] not in (1, channels):
        shape = "x".join(map(str, number.shape))
        raise _lacks(reading, node, f"a constant of {shape}, which is not one for each channel,")
    return np.broadcast_to(np.asarray(number, np.float64).reshape(-1), channels)


def _joined(reading: Reading, node: NodeProto, tensors: list[str]) -> None:
    """Add, Mul or Sum of values, the larger first, as not all stacks take a small one there."""
    kind = "mul" if node.op_type == "Mul" else "add"
    tensors = sorted(tensors, key=lambda t: -prod(reading.shape(t)))
    shapes = [reading.shape(tensor) for tensor in tensors]
    if any(s not in (shapes[0], Shape(shapes[0].channels, 1, 1)) for s in shapes):
        sizes = " and ".join(map(str, shapes))
        raise _lacks(reading, node, f"joining {sizes}")
    names = reading.read(node, *tensors)
    last = names[0]
    for name in names[1:]:
        last = reading.add(node, JoinSpec, type=kind, inputs=(last, name))
    reading.values[node.output[0]] = last


def _sum(reading: Reading, node: NodeProto) -> None:
    if any(reading.constant(name) is not None for name in node.input):
        raise _lacks(reading, node, "a constant input")
    _joined(reading, node, list(node.input))


def _concat(reading: Reading, node: NodeProto) -> None:
    rank = len(reading.size(node.input[0]))
    if attributes(node)["axis"] % rank != 1:
        raise _lacks(reading, node, "concatenation along another axis than the channels'")
    reading.add(node, ConcatSpec, inputs=reading.read(node, *node.input))


# -- pooling --------------------------------------------------------------------------------------


def _pool(reading: Reading, node: NodeProto) -> None:
    how = attributes(node)
    if _short(_two(how.get("dilations"))) != 1 or len(node.output) > 1:
        raise _lacks(reading, node, "a dilation, or the places of the largest,")
    kernel, stride = _two(how["kernel_shape"]), _two(how.get("strides"))
    before, after = reading.shape(node.input[0]), reading.shape(node.output[0])
    top, left, *ends = _pads(reading, node, how, kernel)
    # How sizes are rounded is said by the pads: as many as the last window needs.
    exact = tuple(
        (places - 1) * step + size - start - length
        for places, step, size, start, length in zip(
            after[1:], stride, kernel, (top, left), before[1:], strict=True
        )
    )
    counted = bool(how.get("count_include_pad"))
    if counted and any(e > end for e, end in zip(exact, ends, strict=True)):
        raise _lacks(reading, node, "an average that counts some of what is added and not the rest")
    _add_pool(reading, node, kernel, stride, (top, left, *exact), counted=counted)


def _global_pool(reading: Reading, node: NodeProto) -> None:
    _, *kernel = reading.shape(node.input[0])
    _add_pool(reading, node, kernel, (1, 1), (0, 0, 0, 0))


def _reduce_mean(reading: Reading, node: NodeProto) -> None:
    sizes = reading.size(node.input[0])
    axes = attributes(node).get("axes")
    if axes is None and len(node.input) > 1:
        axes = reading.constant(node.input[1])
    wanted = set(range(2, len(sizes)))
    if axes is None or {int(axis) % len(sizes) for axis in axes} != wanted or not wanted:
        raise _lacks(reading, node, "a mean over other axes than height and width")
    _global_pool(reading, node)


def _add_pool(
    reading: Reading, node: NodeProto, kernel: Any, stride: Any, pads: Any, *, counted: bool = False
) -> None:
    largest = node.op_type in ("MaxPool", "GlobalMaxPool")
    reading.add(
        node,
        PoolSpec,
        inputs=reading.read(node, node.input[0]),
        method="max" if largest else "average",
        kernel=_short(kernel),
        stride=_short(stride),
        pad=_short(pads),
        counts_pad=counted and any(pads),
    )


def _pads(
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
    steps, spread = _two(how.get("strides")), _two(how.get("dilations"))
    starts, ends = [], []
    for length, size, step, wide in zip(
        reading.shape(node.input[0])[1:], kernel, steps, spread, strict=True
    ):
        total = max((-(-length // step) - 1) * step + (size - 1) * wide + 1 - length, 0)
        few, many = total // 2, total - total // 2
        starts.append(few if auto == b"SAME_UPPER" else many)
        ends.append(many if auto == b"SAME_UPPER" else few)
    return starts[0], starts[1], ends[0], ends[1]


def _pad(reading: Reading, node: NodeProto) -> None:
    """Zeros around an image, which become the pad of the convolution that reads it."""
    how = attributes(node)
    given = reading.constant(node.input[1]) if len(node.input) > 1 else how.get("pads")
    value = reading.constant(node.input[2]) if len(node.input) > 2 and node.input[2] else None
    filling = how.get("value", 0.0) if value is None else float(np.asarray(value).reshape(-1)[0])
    sizes = reading.size(node.input[0])
    if given is None or how.get("mode", b"constant") != b"constant" or filling:
        raise _lacks(reading, node, "padding with something else than zeros")
    if len(given) != 2 * len(sizes) or len(sizes) < 3:
        raise _lacks(reading, node, "padding of some axes alone")
    sides = [int(side) for side in given]
    starts, ends = sides[: len(sizes)], sides[len(sizes) :]
    if any((*starts[:2], *ends[:2])) or min(sides) < 0:
        raise _lacks(reading, node, "padding of channels, or cutting,")
    rows = (0, *starts[2:])[-2:], (0, *ends[2:])[-2:]
    reading.padded[node.output[0]] = (rows[0][0], rows[0][1], rows[1][0], rows[1][1])
    reading.same(node)


def _two(values: Any) -> tuple[int, int]:
    """A pair as written: of a row only the second; 1 where nothing is written."""
    if not values:
        return 1, 1
    return (1, values[0]) if len(values) == 1 else (values[0], values[1])


def _short(sizes: Any) -> Any:
    """One number where all are the same, as it is written by hand."""
    return int(sizes[0]) if len(set(sizes)) == 1 else tuple(int(size) for size in sizes)


# -- functions of each value ----------------------------------------------------------------------


def _relu(reading: Reading, node: NodeProto) -> None:
    reading.add(node, ReluSpec, inputs=reading.read(node, node.input[0]))


def _clip(reading: Reading, node: NodeProto) -> None:
    how = attributes(node)
    bounds = [how.get("min"), how.get("max")]
    for place, name in enumerate(node.input[1:3]):
        value = reading.constant(name) if name else None
        if name and value is None:
            raise _lacks(reading, node, "a bound that is computed")
        bounds[place] = None if value is None else float(np.asarray(value).reshape(-1)[0])
    low = -ENDLESS if bounds[0] is None else bounds[0]
    high = ENDLESS if bounds[1] is None else bounds[1]
    if low == 0 and high >= ENDLESS:
        _relu(reading, node)
        return
    if low <= -ENDLESS or high >= ENDLESS:
        raise _lacks(reading, node, "clipping on one side, other than below 0,")
    inputs = reading.read(node, node.input[0])
    reading.add(node, ClipSpec, inputs=inputs, low=float(low), high=float(high))


def _leaky(reading: Reading, node: NodeProto) -> None:
    slope = attributes(node).get("alpha", 0.01)
    if node.op_type == "PRelu":
        slopes = reading.constant(node.input[1])
        if slopes is None or len(set(slopes.reshape(-1).tolist())) != 1:
            raise _lacks(reading, node, "a slope for each channel")
        slope = float(slopes.reshape(-1)[0])
    if slope <= 0:
        raise _lacks(reading, node, f"a slope of {slope}")
    reading.add(node, LeakyReluSpec, inputs=reading.read(node, node.input[0]), slope=float(slope))


def _activation(reading: Reading, node: NodeProto) -> None:
    kinds = {"Sigmoid": "sigmoid", "Tanh": "tanh", "HardSwish": "hard-swish"}
    inputs = reading.read(node, node.input[0])
    reading.add(node, ActivationSpec, type=kinds[node.op_type], inputs=inputs)


def _hard_sigmoid(reading: Reading, node: NodeProto) -> None:
    """Of any slope: the input is stretched so that ours, of slope 1/6, gives the same."""
    how = attributes(node)
    slope, middle = how.get("alpha", 0.2), how.get("beta", 0.5)
    inputs = reading.read(node, node.input[0])
    if abs(slope - 1 / 6) > 1e-6 or abs(middle - 0.5) > 1e-6:
        _affine(reading, node, node.input[0], 6 * slope, 6 * (middle - 0.5))
        inputs = (reading.values[node.output[0]],)
    reading.add(node, ActivationSpec, type="hard-sigmoid", inputs=inputs)


def _softmax(reading: Reading, node: NodeProto) -> None:
    sizes = reading.size(node.input[0])
    newer = reading.opset >= 13
    axis = attributes(node).get("axis", -1 if newer else 1) % len(sizes)
    # Before operator set 13, all from the axis on counted as one.
    if axis != 1 or (not newer and prod(sizes[2:]) != 1):
        raise _lacks(reading, node, "softmax over another axis than the channels'")
    reading.add(node, SoftmaxSpec, inputs=reading.read(node, node.input[0]))


def _lrn(reading: Reading, node: NodeProto) -> None:
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


# -- form and size --------------------------------------------------------------------------------


def _reformed(reading: Reading, node: NodeProto) -> None:
    """A node that keeps all values in their order."""
    if size := reading.turned.get(node.input[0]):
        if reading.size(node.output[0]) != (1, prod(size)):
            raise _lacks(reading, node, "another form of a value whose channels come last")
        reading.values[node.output[0]] = reading.values[node.input[0]]
        reading.turned[node.output[0]] = size
        return
    before, after = reading.shape(node.input[0]), reading.shape(node.output[0])
    if before == after:
        reading.same(node)
    elif after == Shape(prod(before), 1, 1):
        reading.add(node, FlattenSpec, inputs=reading.read(node, node.input[0]))
    else:
        raise _lacks(reading, node, f"making {after} of {before}")


def _cast(reading: Reading, node: NodeProto) -> None:
    if attributes(node)["to"] != FLOAT:
        raise _lacks(reading, node, "another number format")
    reading.same(node)


def _transpose(reading: Reading, node: NodeProto) -> None:
    sizes = reading.size(node.input[0])
    order = attributes(node).get("perm") or list(reversed(range(len(sizes))))
    large = [axis for axis in order if sizes[axis] > 1]
    if large != sorted(large):
        _turn(reading, node, list(order))
        return
    _reformed(reading, node)


def _turn(reading: Reading, node: NodeProto, order: list[int]) -> None:
    """Channels put last, which a fully connected layer can take up, or first: the first of all
    that TensorFlow's networks do."""
    (source,) = reading.read(node, node.input[0], turned=True)
    if order == [0, 3, 1, 2] and source == INPUT and reading.turned.get(node.input[0]):
        reading.values[node.output[0]] = INPUT
    elif order == [0, 2, 3, 1] and node.input[0] not in reading.turned:
        reading.values[node.output[0]] = source
        reading.turned[node.output[0]] = reading.shape(node.input[0])
    else:
        raise _lacks(reading, node, "another order of values")


def _resize(reading: Reading, node: NodeProto) -> None:
    how = attributes(node)
    before, after = reading.shape(node.input[0]), reading.shape(node.output[0])
    factor = after.height // before.height
    whole = after[1:] == (before.height * factor, before.width * factor)
    where = how.get("coordinate_transformation_mode", b"half_pixel")
    rounding = how.get("nearest_mode", b"round_prefer_floor")
    halves = where in (b"half_pixel", b"pytorch_half_pixel") and rounding.startswith(b"round")
    corner = where == b"asymmetric" and rounding == b"floor"
    nearest = how.get("mode", b"nearest") == b"nearest"
    if not (nearest and whole and (halves or corner or node.op_type == "Upsample")):
        raise _lacks(reading, node, "a resizing other than each value a whole number of times")
    reading.add(node, UpsampleSpec, inputs=reading.read(node, node.input[0]), factor=factor)


OPERATORS: Mapping[str, Callable[[Reading, NodeProto], None]] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "BatchNormalization": _batch_norm,
    "Add": _arithmetic,
    "Sub": _arithmetic,
    "Mul": _arithmetic,
    "Div": _arithmetic,
    "Sum": _sum,
    "Concat": _concat,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "ReduceMean": _reduce_mean,
    "Pad": _pad,
    "Relu": _relu,
    "Clip": _clip,
    "LeakyRelu": _leaky,
    "PRelu": _leaky,
    "Sigmoid": _activation,
    "Tanh": _activation,
    "HardSwish": _activation,
    "HardSigmoid": _hard_sigmoid,
    "Softmax": _softmax,
    "LRN": _lrn,
    "Reshape": _reformed,
    "Flatten": _reformed,
    "Squeeze": _reformed,
    "Unsqueeze": _reformed,
    "Identity": _reformed,
    "Dropout": _reformed,
    "Cast": _cast,
    "Transpose": _transpose,
    "Resize": _resize,
    "Upsample": _resize,
}
