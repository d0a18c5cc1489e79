"""What each operator of TensorFlow Lite is in ONNX, and functions of single values. Meanings as
tensorflow v2.14.1, tensorflow/lite/kernels, and the options of its schema."""

from __future__ import annotations

from math import prod, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from tflite import ActivationFunctionType as Act

from buildmatrix.imported import lite_forms as forms
from buildmatrix.imported import lite_windows as windows
from buildmatrix.imported.lite_net import Net, clipped
from buildmatrix.imported.lite_patterns import SHUFFLE
from buildmatrix.imported.lite_sparse import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from buildmatrix.imported.lite_graph import Operation


def joined(net: Net, one: Operation) -> None:
    """Of two values, one of which may be a constant."""
    act = one.options.get("FusedActivationFunction", Act.NONE)
    kinds = {"MAXIMUM": "Max", "MINIMUM": "Min"}
    rank = net.rank(one.outputs[0])
    inputs = [net.broadcast(one, place, rank) for place in range(2)]
    net.put(one, kinds.get(one.kind, one.kind.capitalize()), inputs, act=act)


def softmax(net: Net, one: Operation) -> None:
    if (beta := one.options.get("Beta", 1)) != 1:
        raise net.lacks(one, f"beta {beta:g}")
    kind = "LogSoftmax" if one.kind == "LOG_SOFTMAX" else "Softmax"
    net.put(one, kind, [net.read(one)], axis=net.first_axis(one.inputs[0], -1))


def leaky(net: Net, one: Operation) -> None:
    net.put(one, "LeakyRelu", [net.read(one)], alpha=one.options["Alpha"])


def gelu(net: Net, one: Operation) -> None:
    """Of several nodes, as frameworks write it."""
    if one.options.get("Approximate"):
        raise net.lacks(one, "an approximation")
    value = net.read(one)
    share = net.node(one, "Mul", [value, net.number(one, "root", np.float32(1 / sqrt(2)))])
    share = net.node(one, "Erf", [share])
    share = net.node(one, "Add", [share, net.number(one, "one", np.float32(1))])
    twice = net.node(one, "Mul", [value, share])
    net.put(one, "Mul", [twice, net.number(one, "half", np.float32(0.5))])


def prelu(net: Net, one: Operation) -> None:
    name = net.read(one)
    net.put(one, "PRelu", [name, net.broadcast(one, 1, net.rank(one.inputs[0]))])


def floats(net: Net, one: Operation) -> None:
    """Weights that are kept in half the bits, or in whole numbers: a constant."""
    value, content = net.values[one.inputs[0]], net.constant(one, 0)
    if content is None:
        raise net.quantized(one)
    net.room.take(4 * content.size)
    net.known[one.outputs[0]] = _scaled(value.scales, value.zeros, value.axis, content)


def dense(net: Net, one: Operation) -> None:
    """Weights without their zeros: a constant with them, which is still of half the bits if it
    was."""
    value = net.values[one.inputs[0]]
    if value.content is None or value.sparse is None:
        raise net.lacks(one, "what is no sparse constant")
    net.room.take(prod(value.sizes) * value.content.itemsize)
    net.known[one.outputs[0]] = whole(value.content, value.sizes, value.sparse)


def _scaled(
    scales: Sequence[float], zeros: Sequence[int], axis: int, content: NDArray[Any]
) -> NDArray[np.float32]:
    if not scales:
        return content.astype(np.float32)
    shape = [1] * content.ndim
    if content.ndim:
        shape[axis] = -1
    step, zero = (np.array(one or (0,), np.float64).reshape(shape) for one in (scales, zeros))
    scaled: NDArray[np.float32] = ((content - zero) * step).astype(np.float32)
    return scaled


def _plain(kind: str, **how: Any) -> Callable[[Net, Operation], None]:
    def one(net: Net, operation: Operation) -> None:
        net.put(operation, kind, [net.read(operation)], **how)

    return one


def _clip(low: float, high: float) -> Callable[[Net, Operation], None]:
    def one(net: Net, operation: Operation) -> None:
        kind, *bounds = clipped(low, high)(net, operation)
        net.put(operation, kind, [net.read(operation), *bounds])

    return one


OPERATORS: Mapping[str, Callable[[Net, Operation], None]] = {
    "CONV_2D": windows.convolution,
    "DEPTHWISE_CONV_2D": windows.convolution,
    "TRANSPOSE_CONV": windows.transposed,
    "FULLY_CONNECTED": windows.full,
    "MAX_POOL_2D": windows.pooling,
    "AVERAGE_POOL_2D": windows.pooling,
    "ADD": joined,
    "SUB": joined,
    "MUL": joined,
    "DIV": joined,
    "MAXIMUM": joined,
    "MINIMUM": joined,
    "CONCATENATION": forms.concatenation,
    "RESHAPE": forms.reshaped,
    "SQUEEZE": forms.reshaped,
    "EXPAND_DIMS": forms.reshaped,
    "TRANSPOSE": forms.reordered,
    "PAD": windows.padded,
    "PADV2": windows.padded,
    "MIRROR_PAD": windows.padded,
    "MEAN": forms.reduced,
    "REDUCE_MAX": forms.reduced,
    "RESIZE_NEAREST_NEIGHBOR": windows.resized,
    "RESIZE_BILINEAR": windows.resized,
    "SOFTMAX": softmax,
    "LOGISTIC": _plain("Sigmoid"),
    "LOG": _plain("Log"),
    "LOG_SOFTMAX": softmax,
    "TANH": _plain("Tanh"),
    "RELU": _plain("Relu"),
    "RELU6": _clip(0, 6),
    "RELU_N1_TO_1": _clip(-1, 1),
    "RELU_0_TO_1": _clip(0, 1),
    "LEAKY_RELU": leaky,
    "PRELU": prelu,
    "HARD_SWISH": _plain("HardSwish"),
    "GELU": gelu,
    "LOCAL_RESPONSE_NORMALIZATION": windows.lrn,
    "SLICE": forms.cut,
    "STRIDED_SLICE": forms.strided,
    "SPLIT": forms.split,
    "SPLIT_V": forms.split,
    "DEPTH_TO_SPACE": forms.depth_to_space,
    "DENSIFY": dense,
    "DEQUANTIZE": floats,
    SHUFFLE: forms.shuffled,
}
